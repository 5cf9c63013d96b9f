// Makes the pages live: fetches a page again when the stream reports an event and puts what has changed in its place.
// Without it everything still reads.
(() => {
  "use strict";
  const POLL = 120000, LATE = 150000, GATHER = 60, LEAST = 2000;
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // The theme, before anything is painted.
  const themes = ["auto", "light", "dark"], names = { auto: "Auto", light: "Light", dark: "Dark" };
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  let theme = themes.includes(stored()) ? stored() : "auto";
  const paint = () => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    const button = $("theme");
    if (button) { button.hidden = false; put(button, names[theme]); button.setAttribute("aria-label", "Theme: " + theme); }
  };
  paint();

  // Times: the reader's zone, UTC on hover.
  const two = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const span = (s) => s < 90 ? s + " s" : s < 5400 ? Math.floor((s + 30) / 60) + " min"
    : s < 172800 ? Math.floor((s + 1800) / 3600) + " h" : Math.floor((s + 43200) / 86400) + " d";
  const times = (within) => {
    const now = Date.now();
    for (const node of within.querySelectorAll("time")) {
      const at = new Date(node.dateTime), ms = at - now;
      if (Number.isNaN(ms)) continue;
      const length = span(Math.floor(Math.abs(ms) / 1000));
      if (node.className === "ago") put(node, ms > 0 ? "in " + length : length + " ago");
      else if (node.className === "age") put(node, length);
      else {
        const clock = two(at.getHours()) + ":" + two(at.getMinutes());
        const far = Math.abs(ms) > 64800000;
        const day = at.getDate() + " " + months[at.getMonth()] + (Math.abs(ms) > 15552e6 ? " " + at.getFullYear() : "");
        if (node.className === "clock") put(node, (far ? day + " " : "") + clock + ":" + two(at.getSeconds()));
        else put(node, day + " " + clock);
      }
    }
  };

  let seq = 0, source = null, good = Date.now(), busy = false, again = 0, timer = 0, last = 0, cut = 0;
  const live = (state, text) => { const node = $("live"); node.dataset.state = state; put(node, text); };
  const judge = () => {
    const old = Date.now() - good > LATE || (cut && Date.now() - cut > 20000);
    const box = $("lost");
    box.hidden = !old;
    if (old) {
      put(box, "Connection lost. What you see is of " + new Date(good).toLocaleTimeString() + ".");
      live("lost", "Not live");
    }
  };

  // Replaces what has changed, and leaves everything else alone: focus, selection, scrolling.
  const merge = (page) => {
    const from = page.querySelector("main"), into = $("main");
    if (!from) return;
    const typing = document.activeElement && into.contains(document.activeElement)
      && /^(INPUT|SELECT)$/.test(document.activeElement.tagName);
    const chosen = into.querySelector(".here [data-go]")?.getAttribute("href");
    const focused = document.activeElement?.getAttribute?.("href");
    const known = new Set([...into.querySelectorAll(".card [data-go]")].map((a) => a.getAttribute("href")));
    const swap = (old, fresh) => {
      times(fresh);
      if (old.innerHTML === fresh.innerHTML && old.className === fresh.className) return;
      if (typing && old.contains(document.activeElement)) return;
      old.replaceWith(fresh);
    };
    const sections = (node) => [...node.children].flatMap((one) =>
      one.id === "now" ? [...one.querySelectorAll("section")] : [one]);
    const olds = sections(into), news = sections(from);
    if (olds.length === news.length && olds.every((one, i) => one.id === news[i].id)) {
      olds.forEach((one, i) => swap(one, document.adoptNode(news[i])));
    } else {
      times(from);
      into.replaceChildren(...[...from.children].map((one) => document.adoptNode(one)));
    }
    for (const a of into.querySelectorAll(".card [data-go]")) {
      if (!known.has(a.getAttribute("href"))) a.closest(".card").classList.add("fresh");
      if (chosen && a.getAttribute("href") === chosen) a.closest("[data-row]").classList.add("here");
    }
    if (focused && document.activeElement === document.body) {
      into.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
    document.title = page.title;
    const asOf = document.querySelector("footer time"), fresh = page.querySelector("footer time");
    if (asOf && fresh) asOf.replaceWith(document.adoptNode(fresh));
    times(document.querySelector("footer"));
  };

  const load = async () => {
    if (busy) { again = 1; return; }
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache" });
      if (answer.ok || answer.status === 503) {
        merge(new DOMParser().parseFromString(await answer.text(), "text/html"));
        if (answer.ok) good = Date.now();
      }
    } catch { /* Judged by its age. */ }
    busy = false;
    judge();
    if (again) { again = 0; soon(); }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(load, Math.max(GATHER, last + LEAST - Date.now()));
  };

  // Only what is new and open is said aloud.
  const announce = (event) => {
    if (event.kind !== "incident" || event.previous_status || event.revision > 1 || event.backfill) return;
    if (["resolved", "postmortem", "withdrawn"].includes(event.status)) return;
    $("news").textContent = `New incident: ${event.provider_name}: ${event.title}, impact ${event.impact}`;
  };
  const close = () => { source?.close(); source = null; };
  const open = () => {
    close();
    if (document.hidden) return;
    live("off", "Connecting");
    source = new EventSource("/api/v1/stream?after=" + seq);
    source.onopen = () => { cut = 0; live("on", "Live"); judge(); };
    source.onmessage = (message) => {
      const number = Number(message.lastEventId);
      if (number > seq) seq = number;
      try { announce(JSON.parse(message.data)); } catch { /* The page is fetched all the same. */ }
      soon();
    };
    source.addEventListener("reset", (message) => { seq = Number(message.lastEventId) || 0; soon(); });
    source.onerror = () => {
      cut = cut || Date.now();
      live("off", "Reconnecting");
      // Refused: the browser does not try again by itself.
      if (source && source.readyState === 2) { close(); setTimeout(() => { if (!source) open(); }, 5000); }
    };
  };

  // Keys.
  const rows = () => [...document.querySelectorAll("main [data-row]")].filter((row) => row.offsetParent);
  const here = () => document.querySelector("[data-row].here");
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(here() || document.activeElement?.closest?.("[data-row]"));
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
    here()?.classList.remove("here");
    next.classList.add("here");
    (next.querySelector("[data-go]") || next.querySelector("a"))?.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => { const box = document.querySelector("[data-search]"); if (box) box.focus(); else location.href = "/providers"; },
    j: () => move(1),
    k: () => move(-1),
    o: () => (here() || document).querySelector("[data-out]")?.click(),
    m: () => { location.href = "/maintenances"; },
    "?": () => { const box = $("keys"); if (box.open) box.close(); else box.showModal(); },
  };
  const typed = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "Escape") { here()?.classList.remove("here"); return; }
    if ($("keys").open && event.key !== "?") return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  };

  addEventListener("DOMContentLoaded", () => {
    seq = Number(document.body.dataset.seq) || 0;
    paint();
    $("theme").onclick = () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      try { localStorage.setItem("theme", theme); } catch { /* For this page alone then. */ }
      paint();
    };
    $("help").hidden = false;
    $("help").onclick = keys["?"];
    times(document);
    document.addEventListener("keydown", typed);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { close(); live("off", "Paused"); } else { open(); load(); }
    });
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted) { open(); load(); } });
    setInterval(() => { if (!document.hidden) { times(document); judge(); } }, 5000);
    setInterval(() => { if (!document.hidden) load(); }, POLL);
    open();
  });
})();
