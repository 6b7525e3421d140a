"use strict";
// Sends a file in pieces that go on where a broken line left them; without this file the form sends it whole.
const language = `${document.documentElement.lang}-u-nu-latn`;
const kilobytes = new Intl.NumberFormat(language, { style: "unit", unit: "kilobyte", maximumFractionDigits: 0 });
const sized = (bytes) => kilobytes.format(Math.ceil(bytes / 1024));
// As the server keeps it, so that the same file is known again.
const named = (file) => file.name.normalize("NFC").replace(/\s+/g, " ").trim().slice(0, 200);
const FIRST_PAUSE = 1000, LONGEST_PAUSE = 30000;
// Whoever comes back to the network does not wait for the pause to end.
const rest = (pause) => new Promise((resolve) => {
  const timer = setTimeout(resolve, pause);
  addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
});

class Sending {
  constructor(form, file) {
    this.form = form;
    this.file = file;
    this.words = form.dataset;
    this.told = form.querySelector("[role=status]");
    this.bar = form.querySelector("progress");
  }

  say(words) { this.told.textContent = words; }

  show(offset) {
    this.bar.hidden = false;
    this.bar.value = offset / this.file.size;
    this.say(this.words.sent.replace("{done}", sized(offset)).replace("{whole}", sized(this.file.size)));
  }

  // What only the line kept from its answer is asked for again; every other answer is an answer.
  async asked(address, how) {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        const answer = await fetch(address, { credentials: "same-origin", cache: "no-store", ...how });
        if (answer.status < 500 && answer.status !== 429) return answer;
      } catch {
        this.say(this.words.broken);
      }
      if (how.method === "PATCH") return null;
      await rest(pause);
    }
  }

  async begin() {
    const known = JSON.parse(this.words.unfinished).find(
      (one) => one.name === named(this.file) && one.size === this.file.size);
    if (known) return known.at;
    const said = new URLSearchParams(new FormData(this.form));
    said.delete("file");
    const about = { document: this.words.document, media_type: this.file.type, size: this.file.size, name: named(this.file) };
    for (const [name, value] of Object.entries(about)) said.set(`/${name}`, value);
    const answer = await this.asked(this.words.begin, { method: "POST", body: said });
    return answer.ok ? answer.headers.get("Location") : null;
  }

  async offset(at) {
    const answer = await this.asked(at, { method: "HEAD" });
    return answer.headers.has("Upload-Offset") ? Number(answer.headers.get("Upload-Offset")) : null;
  }

  // Whether it was sent to its end; the page then says what became of it.
  async pieces(at) {
    let offset = await this.offset(at), pause = FIRST_PAUSE;
    while (offset !== null) {
      this.show(offset);
      const end = Math.min(offset + Number(this.words.piece), this.file.size), last = end === this.file.size;
      const headers = {
        "Content-Type": "application/partial-upload",
        "Upload-Offset": String(offset),
        "Upload-Complete": last ? "?1" : "?0",
      };
      const answer = await this.asked(at, { method: "PATCH", headers, body: this.file.slice(offset, end) });
      // A page that asks for something else is no answer to a piece.
      if (answer && answer.headers.has("Upload-Offset") && answer.ok && !last) { offset = end; pause = FIRST_PAUSE; continue; }
      if (answer && answer.status !== 409) return true;
      if (!answer) await rest(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      offset = await this.offset(at);
    }
    return false;
  }
}

for (const form of document.querySelectorAll("form[data-begin]")) {
  form.addEventListener("submit", async (event) => {
    const file = form.querySelector("input[type=file]").files[0];
    if (!file) return;
    event.preventDefault();
    const sending = new Sending(form, file);
    if (!file.size || file.size > Number(form.dataset.most)) {
      sending.say(file.size ? form.dataset.large : form.dataset.empty);
      delete form.dataset.sent;
      return;
    }
    for (const one of form.querySelectorAll("button, input[type=file]")) one.disabled = true;
    sending.show(0);
    const at = await sending.begin();
    // This page may be the answer to a form that was refused, and would send that one again if it were loaded anew.
    if (at && await sending.pieces(at)) { location.assign(form.dataset.begin); return; }
    // The form says in words why it was not taken.
    for (const one of form.querySelectorAll("button, input[type=file]")) one.disabled = false;
    form.submit();
  });
}
// What a button hands out as a file leaves its page as it was, and the button ready.
for (const form of document.querySelectorAll("form[data-again]")) {
  form.addEventListener("submit", () => setTimeout(() => { delete form.dataset.sent; }));
}
