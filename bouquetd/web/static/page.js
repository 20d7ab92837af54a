"use strict";
// Fetches the parts of the page every two seconds and exchanges those that changed. Without it the page stays as it
// was loaded, and does all else.

const EVERY = 2000;
const REDRAWN = 5; // times that it takes for the curve to be fetched anew

let turn = 0;
const shown = {};

function exchange(id, html) {
  const place = document.getElementById(id);
  if (shown[id] === html) return;
  shown[id] = html;
  const held = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.innerHTML = html; // made and escaped by the daemon, as in the page itself
  if (held) document.getElementById(held)?.focus();
}

function redraw() {
  for (const part of document.querySelectorAll("picture source, picture img")) {
    const name = part.localName === "img" ? "src" : "srcset";
    const [path] = part.getAttribute(name).split("#");
    const [file, query = ""] = path.split("?");
    const fields = new URLSearchParams(query);
    fields.set("at", String(Date.now()));
    part.setAttribute(name, `${file}?${fields}`);
  }
}

async function look() {
  try {
    const answer = await fetch("live.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const { title, ...parts } = await answer.json();
    document.title = title;
    document.body.classList.remove("away");
    for (const [id, html] of Object.entries(parts)) exchange(id, html);
    turn += 1;
    if (turn % REDRAWN === 0) redraw();
  } catch {
    document.body.classList.add("away");
    shown.state = null;
    document.getElementById("state").textContent = "The daemon does not answer; this page is as it was.";
  }
}

setInterval(() => { if (!document.hidden) look(); }, EVERY);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
