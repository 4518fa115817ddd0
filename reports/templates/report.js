"use strict";
(() => {
  // Sorting: the heading of each column of a sortable table becomes a button.
  const number = (text) => {
    const found = text.replace(/,(?=\d{3})/g, "").replace(/\u2212/g, "-").match(/-?\d+(\.\d+)?(e[+-]?\d+)?/);
    return found ? Number(found[0]) : NaN;
  };
  const compare = (a, b, numeric) => {
    if (!numeric) return a.localeCompare(b, "en");
    const [x, y] = [number(a), number(b)];
    return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : Number.isNaN(y) ? -1 : x - y;
  };
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") !== "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const numeric = heading.classList.contains("igf-right");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => (up ? 1 : -1) * compare(a.cells[i].innerText, b.cells[i].innerText, numeric));
        table.tBodies[0].append(...rows);
      });
    });
  }

  // Filtering: rows of studies that are of another class or tumour are hidden; pooled rows stay as they are.
  const form = document.querySelector(".igf-controls");
  const selects = form ? [...form.querySelectorAll("select")] : [];
  if (selects.length) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    const filter = () => {
      const rows = [...document.querySelectorAll("tr[data-class], tr[data-tumor]")];
      let shown = 0;
      for (const row of rows) {
        row.hidden = selects.some((s) => s.value && row.dataset[s.dataset.filter] !== s.value);
        if (!row.hidden) shown += 1;
      }
      const any = selects.some((s) => s.value);
      form.querySelector("[role=status]").textContent = any
        ? `${shown} of ${rows.length} lines of studies shown; pooled results are of all studies.` : "";
    };
    selects.forEach((select) => select.addEventListener("change", filter));
  }

  // The source of a study on hover and on focus; Escape takes it away.
  const tip = document.createElement("div");
  tip.className = "igf-tip";
  tip.id = "igf-tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let over = null;
  const hide = () => {
    if (over) over.removeAttribute("aria-describedby");
    over = null;
    tip.hidden = true;
  };
  const show = (link) => {
    hide();
    over = link;
    tip.textContent = link.dataset.source;
    link.setAttribute("aria-describedby", tip.id);
    tip.hidden = false;
    const box = link.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8));
    const below = box.bottom + 4 + tip.offsetHeight < window.innerHeight;
    tip.style.left = `${left + window.scrollX}px`;
    tip.style.top = `${(below ? box.bottom + 4 : box.top - tip.offsetHeight - 4) + window.scrollY}px`;
  };
  for (const link of document.querySelectorAll("[data-source]")) {
    link.removeAttribute("title");
    link.addEventListener("mouseenter", () => show(link));
    link.addEventListener("focus", () => show(link));
    link.addEventListener("blur", hide);
    link.addEventListener("mouseleave", (event) => { if (event.relatedTarget !== tip) hide(); });
  }
  tip.addEventListener("mouseleave", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
})();
