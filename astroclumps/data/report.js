"use strict";
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0], rows = Array.from(body.rows), tools = document.getElementById(table.id + "-tools");
  const said = tools.querySelector("output"), words = tools.querySelector("input"), picked = tools.querySelector("select");
  const value = (row, i) => {
    const cell = row.cells[i], given = cell.dataset.v;
    return given === undefined ? cell.textContent.trim() : given === "" ? NaN : Number(given);
  };
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);  // what is missing comes last, either way
    return sign * (a - b);
  };
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort"), first = head.classList.contains("text") ? "ascending" : "descending";
      const now = before === null ? first : before === "ascending" ? "descending" : "ascending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const order = rows.map((row, place) => [value(row, i), place, row]);
      order.sort((a, b) => compare(a[0], b[0], sign) || a[1] - b[1]);
      body.append(...order.map((one) => one[2]));
    });
  });
  const filter = () => {
    const wanted = words.value.trim().toLowerCase(), label = picked ? picked.value : "";
    let shown = 0;
    for (const row of rows) {
      const fits = (!wanted || row.textContent.toLowerCase().includes(wanted)) && (!label || row.dataset.label === label);
      row.hidden = !fits;
      shown += fits;
    }
    said.textContent = shown + " of " + rows.length + " rows";
  };
  words.addEventListener("input", filter);
  if (picked) picked.addEventListener("change", filter);
  filter();
  tools.hidden = false;
}
