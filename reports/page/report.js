"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");

  // The theme is the system's until somebody asks for the other one.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const label = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme");
  };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  system.addEventListener("change", label);
  label();
  theme.hidden = false;

  // Marks of a plot: arrow keys go from one to the next, the pointer finds the nearest.
  for (const figure of document.querySelectorAll("figure")) {
    const detail = figure.querySelector(".detail");
    for (const svg of figure.querySelectorAll("svg.plot")) {
      const marks = [...svg.querySelectorAll(".mark")];
      if (marks.length === 0) continue;
      figure.querySelector(".hint").hidden = false;
      const places = marks.map(mark => {
        mark.querySelector("title").remove(); // the line below says it
        const circle = mark.querySelector("circle");
        return [circle.cx.baseVal.value, circle.cy.baseVal.value];
      });
      let at = -1;
      const show = i => {
        if (i === at) return;
        if (at >= 0) marks[at].classList.remove("at");
        at = i;
        if (i < 0) return;
        marks[i].classList.add("at");
        detail.textContent = marks[i].getAttribute("aria-label");
      };
      const go = i => {
        for (const mark of marks) mark.tabIndex = -1;
        marks[i].tabIndex = 0;
        marks[i].focus();
      };
      const nearest = event => {
        const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        let best = -1, least = 18; // units of the drawing
        places.forEach(([x, y], i) => {
          const far = Math.hypot(x - p.x, y - p.y);
          if (far < least) [best, least] = [i, far];
        });
        return best;
      };
      const focused = () => marks.indexOf(document.activeElement);
      svg.addEventListener("pointermove", event => show(Math.max(nearest(event), -1)));
      svg.addEventListener("pointerleave", () => show(focused()));
      svg.addEventListener("mousedown", event => { // the mark on top is not the nearest
        const i = nearest(event);
        if (i < 0) return;
        event.preventDefault();
        go(i);
      });
      svg.addEventListener("focusin", () => show(focused()));
      svg.addEventListener("focusout", () => show(-1));
      svg.addEventListener("keydown", event => {
        const i = focused(), last = marks.length - 1;
        if (i < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
        const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        go(Math.min(Math.max(to, 0), last));
      });
    }
  }

  // Tables whose headers are buttons that sort. What has no number comes last.
  const units = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
  const numberIn = text => {
    const found = /([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?) ?([kMGT](?![a-z]))?/.exec(text);
    return found ? Number(found[1].replaceAll(",", "")) * (units[found[2]] || 1) : NaN;
  };
  const words = new Intl.Collator("en", { numeric: true });
  for (const table of document.querySelectorAll("table[data-sorts]")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    if (body.rows.length < 2) continue;
    heads.forEach((head, column) => {
      if (head.querySelector(".unseen")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const wordy = head.classList.contains("words");
        const rows = [...body.rows].map(row => {
          const text = row.cells[column].textContent.trim();
          return { row, text, number: numberIn(text), known: wordy ? text !== "" && text !== "-" : !Number.isNaN(numberIn(text)) };
        });
        rows.sort((a, b) => {
          if (!a.known || !b.known) return b.known - a.known;
          return (down ? -1 : 1) * (wordy ? words.compare(a.text, b.text) : a.number - b.number);
        });
        body.append(...rows.map(r => r.row));
      });
    });
  }

  // Regions that have nothing to scroll are not stops of the Tab key.
  const fit = region => {
    if (region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver(all => all.forEach(one => fit(one.target)));
  document.querySelectorAll(".scroll").forEach(region => sizes.observe(region));

  // The contents say where one is.
  const links = new Map([...document.querySelectorAll("nav a")].map(a => [a.hash.slice(1), a]));
  const seen = new Set();
  const watch = new IntersectionObserver(all => {
    for (const one of all) seen[one.isIntersecting ? "add" : "delete"](one.target.id);
    const now = [...links.keys()].find(id => seen.has(id));
    for (const [id, a] of links) {
      if (id === now) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -60% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));
})();
