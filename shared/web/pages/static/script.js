"use strict";
// Everything works without this file: it spares a reader a step where a browser runs it.

// Pages leave out lists of countries, languages and occupations for a browser that fills them in from a file it keeps.
document.cookie = `script=1; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
const choices = document.querySelectorAll("select[data-list]");
const fill = (lists) => {
  for (const one of choices) {
    const [first, ...chosen] = one.options, known = lists[one.dataset.list];
    const listed = known.map(([code, words]) => new Option(words, code, code === one.value, code === one.value));
    // What was typed and is none of the list stays in sight.
    const strange = chosen.filter((option) => !known.some(([code]) => code === option.value));
    one.replaceChildren(first, ...listed, ...strange);
    one.parentElement.querySelector("[data-whole]").remove();
  }
};
if (choices.length) fetch(choices[0].dataset.lists).then((answer) => answer.json()).then(fill).catch(() => {});

// What is wrong is told first to whoever hears or magnifies the page.
const summary = document.querySelector(".problem[tabindex]");
if (summary) summary.focus();

// A second press sends nothing twice (the server would answer with the first result); Back makes it usable again.
// Where there is no line the page stays with what was typed in it: the browser's own error would take its place.
const dead = document.querySelector("[data-offline]");
const keeping = new WeakMap();
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    dead.hidden = navigator.onLine;
    if (!navigator.onLine) {
      event.preventDefault();
      return form.append(dead);
    }
    form.dataset.sent = "1";
    const kept = keeping.get(form);
    if (!kept) return;
    event.preventDefault();
    kept.then(() => {
      delete form.dataset.sent;
      form.requestSubmit(event.submitter);
    });
  });
}

// What is typed in a draft is kept from the first field on, also where nobody presses the button. One is sent after the
// other, so that nothing overtakes what was typed later.
for (const form of document.querySelectorAll("form[data-keep]")) {
  let waiting = 0;
  const unkept = form.querySelector("[data-unkept]");
  // What was kept leads on, and what is wrong with it is kept too; another form's changes, or a sending, keep it out.
  const told = (answer) => { unkept.hidden = ![409, 412].includes(answer.status); };
  const send = (more) => fetch(form.action, {
    method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin", redirect: "manual", ...more,
  }).then(told).catch(() => {});
  const keep = () => {
    waiting = 0;
    const kept = (keeping.get(form) || Promise.resolve()).then(() => send({ signal: AbortSignal.timeout(10000) }));
    keeping.set(form, kept);
    kept.then(() => keeping.get(form) === kept && keeping.delete(form));
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(keep, 1000);
  });
  form.addEventListener("submit", () => {
    clearTimeout(waiting);
    waiting = 0;
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden || !waiting) return;
    clearTimeout(waiting);
    waiting = 0;
    send({ keepalive: true });
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Another service's part takes the height that it needs.
for (const frame of document.querySelectorAll("iframe")) {
  const fit = () => {
    const part = frame.contentDocument;
    if (!part || !part.body) return;
    // What the reader may not see leaves no hole in the page.
    if (part.body.classList.contains("none")) frame.hidden = true;
    frame.style.blockSize = `${part.documentElement.scrollHeight + 4}px`;
  };
  frame.addEventListener("load", fit);
  fit();
}

// Whoever reads stays signed in for as long as the page lies open, an hour at most: a pass lives five minutes.
const renewal = document.body.dataset.renewal;
let rounds = 15;
const renew = () => fetch(renewal, { credentials: "same-origin", cache: "no-store" });
const renewing = renewal && setInterval(() => {
  if (--rounds < 0) clearInterval(renewing);
  else renew().catch(() => {});
}, 240000);

// Figures that have changed are fetched again while somebody looks at them; nobody's place on the page is lost.
const shortest = 1000, longest = 60000;
let told = null, waiting = 0, pause = shortest;
const show = async () => {
  const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) throw new Error("not now");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.querySelector("[data-live]"), shown = document.querySelector("[data-live]");
  if (!now || now.dataset.live === shown.dataset.live) return;
  shown.replaceWith(now);
  const words = document.querySelector("[data-told]");
  words.textContent = words.dataset.words;
};
// The address of a stream names what is on the page: whatever changed while nothing could be heard is told by it.
const live = () => !document.hidden && document.querySelector("[data-live]")?.dataset.live;
const hush = () => {
  if (told) told.close();
  told = null;
  clearTimeout(waiting);
};
const listen = () => {
  const address = live();
  if (told || !address) return;
  const source = told = new EventSource(address);
  source.addEventListener("open", () => pause = shortest);
  source.addEventListener("changed", () => show().catch(again));
  // It comes back by itself after a broken line, and never after an answer that is not 200: a proxy's 502 ends it.
  source.addEventListener("error", () => {
    if (source === told && source.readyState === EventSource.CLOSED) again();
  });
};
const again = () => {
  hush();
  if (rounds < 0) return;
  waiting = setTimeout(() => renew().catch(() => {}).then(ask).catch(again), pause);
  pause = Math.min(2 * pause, longest) * (0.8 + Math.random() / 5);
};
// Only an answer that was fetched says its status; 204 alone means that there is nothing more to be told.
const ask = async () => {
  const address = live(), looking = new AbortController();
  if (!address) return;
  const { ok, status } = await fetch(address, {
    credentials: "same-origin", cache: "no-store", headers: { Accept: "text/event-stream" }, signal: looking.signal,
  });
  looking.abort();
  if (status === 204) return;
  if (!ok) throw new Error("not yet");
  listen();
};
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hush();
  else listen();
});
listen();

// What goes on by itself is fetched again while somebody looks at it, until its page says that it has ended.
const follow = () => {
  const shown = document.querySelector("[data-going]");
  if (!shown) return;
  setTimeout(async () => {
    if (!document.hidden) await fetch(location.href, { credentials: "same-origin", cache: "no-store" })
      .then(async (answer) => {
        const now = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-job]");
        if (answer.ok && now && !shown.contains(document.activeElement)) shown.replaceWith(now);
      }).catch(() => {});
    follow();
  }, 3000);
};
follow();
