// The health check of the store: exit code 0 where it is a primary that knows its users.
// At the first start it makes both. mongod lets whoever comes over the loopback address do so until there is a user.
const { readFileSync } = require("fs");

const services = ["registration", "matching", "placement", "monitoring"];
const admin = db.getSiblingDB("admin");

function secret(name) {
  return readFileSync(`/run/secrets/${name}`, "utf8").trim();
}

function passwordOf(service) {
  return decodeURIComponent(secret(`${service}_mongodb_url`).match(/^mongodb:\/\/[^:]+:([^@]+)@/)[1]);
}

function signedIn() {
  try {
    return admin.auth("operator", secret("mongodb_operator_password")).ok === 1;
  } catch (error) {
    return false;
  }
}

if (!db.hello().setName) {
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongodb:27017" }] });
}
if (!db.hello().isWritablePrimary) {
  quit(1);
}
if (!signedIn()) {
  admin.createUser({ user: "operator", pwd: secret("mongodb_operator_password"), roles: ["root"] });
  if (!signedIn()) {
    quit(1);
  }
}
for (const service of services) {
  // Each service reads and writes its own database alone.
  if (!admin.getUser(service)) {
    const roles = [{ role: "readWrite", db: `sankofa_${service}` }];
    admin.createUser({ user: service, pwd: passwordOf(service), roles });
  }
}
