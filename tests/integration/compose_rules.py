"""What docker-compose.yml has to keep, as findings on the parsed file: the same rules as docs/operations.md states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OWN = ("registration", "matching", "placement", "monitoring")
SERVERS = ("kafka", "mongodb")
COMMAND_LINE, ISSUER = "sankofa", "issuer"
# Who signs passes, and people in.
PASSES = "registration"
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|_KEY\b|MONGODB_URL", re.IGNORECASE)
CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
PINNED = re.compile(r"\$\{[A-Z_]+:-[a-z/-]+:\d+(\.\d+)+(-[a-z]+)?(@sha256:[0-9a-f]{64})?\}")
NUMBERED_USER = re.compile(r"[1-9]\d*:[1-9]\d*")

File = Mapping[str, Any]


def parsed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


def findings(file: File) -> list[str]:
    """One line for each rule that a part breaks; empty for a file that keeps them all."""
    found = [f"{name}: {line}" for name, service in file["services"].items() for line in _of_service(name, service)]
    return [*found, *_of_networks(file), *_of_volumes(file), *_of_secrets(file)]


def _of_service(name: str, service: File) -> Iterator[str]:
    yield from _closed(service)
    yield from _limited(service)
    if not PINNED.fullmatch(service["image"]) or ("build" not in service and "@sha256:" not in service["image"]):
        yield "its image is not pinned by its digest, or no variable overrides it"
    if name == COMMAND_LINE:
        return
    if not service.get("healthcheck", {}).get("test"):
        yield "no health check"
    if service.get("restart") != "unless-stopped":
        yield "nobody starts it again"


def _closed(service: File) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root can be written"
    if service.get("cap_drop") != ["ALL"]:
        yield "it keeps capabilities"
    if set(service.get("cap_add", ())) - {"NET_BIND_SERVICE"} or service.get("privileged"):
        yield "it takes capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", ()):
        yield "it may gain privileges"
    if not NUMBERED_USER.fullmatch(str(service.get("user", ""))):
        yield "its user may be root"
    if not any(mount.startswith("/tmp:") and "size=" in mount for mount in service.get("tmpfs", ())):
        yield "no bounded /tmp"
    for key, value in service.get("environment", {}).items():
        if SECRET_NAME.search(key) or CREDENTIALS.search(str(value)):
            yield f"a secret in its environment ({key})"


def _limited(service: File) -> Iterator[str]:
    for limit in ("cpus", "mem_limit", "pids_limit", "stop_grace_period"):
        if not service.get(limit):
            yield f"no {limit}"
    if "max-size" not in service.get("logging", {}).get("options", {}):
        yield "its log grows without end"


def _of_networks(file: File) -> Iterator[str]:
    if not (file["networks"].get("servers") or {}).get("internal"):
        yield "servers: the network has a way out"
    for name, service in file["services"].items():
        if name in SERVERS and service["networks"] != ["servers"]:
            yield f"{name}: reached from elsewhere than the services"
        if name not in (*SERVERS, *OWN) and "servers" in service["networks"]:
            yield f"{name}: reaches Kafka and MongoDB"
        if service.get("ports") and name != "proxy":
            yield f"{name}: a port on the machine"
        if service.get("network_mode") or service.get("pid") or service.get("ipc"):
            yield f"{name}: shares the machine's namespaces"
    for port in file["services"]["proxy"]["ports"]:
        if not re.fullmatch(r"\$\{[A-Z_]+:-127\.0\.0\.1:\d+\}:8\d+", port):
            yield f"proxy: {port} is open to the network unless somebody closes it"


def _of_volumes(file: File) -> Iterator[str]:
    used = set()
    for name, service in file["services"].items():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith((".", "/")):
                if not rest.endswith(":ro") or not source.startswith("./deploy/"):
                    yield f"{name}: writes {source} on the machine"
                continue
            used.add(source)
            owner = source.removeprefix("keys-")
            shared = owner == "identity" and name in OWN
            if source.startswith("keys-") and owner != name and not shared:
                yield f"{name}: has the keys of {owner}"
        writes_public = [one for one in service.get("volumes", ()) if one.startswith("issuer-public:")]
        if name != ISSUER and any(not one.endswith(":ro") for one in writes_public):
            yield f"{name}: writes the public half of the issuer's key"
        passes = [one for one in service.get("volumes", ()) if one.startswith("pass-public:")]
        if name != PASSES and any(not one.endswith(":ro") for one in passes):
            yield f"{name}: writes the public half of the key of passes"
        if name in OWN and not passes:
            yield f"{name}: lacks the public half of the key of passes"
        if name in OWN and not writes_public:
            yield f"{name}: lacks the public half of the issuer's key"
        if name in OWN and not any(one.startswith("keys-identity:") for one in service.get("volumes", ())):
            yield f"{name}: lacks the identity key, without which its accounts are others"
    if used != set(file["volumes"]):
        yield f"volumes: {sorted(used ^ set(file['volumes']))} are used or declared, not both"


def _of_secrets(file: File) -> Iterator[str]:
    for name, secret in file["secrets"].items():
        if set(secret) != {"file"} or not secret["file"].endswith(f"/{name}"):
            yield f"{name}: not a file of that name in the secrets' folder"
    for service in OWN:
        given = file["services"][service].get("secrets")
        also = ["pages_client_secret", "mail_password"] if service == PASSES else []
        if given != [{"source": f"{service}_mongodb_url", "target": "mongodb_url"}, *also]:
            yield f"{service}: reads other secrets than its own"
    for name, service in file["services"].items():
        given = [one["source"] if isinstance(one, Mapping) else one for one in service.get("secrets", ())]
        if "client_secret" in given and name not in (COMMAND_LINE, ISSUER):
            yield f"{name}: reads the secret of the command line"
