const points = [...document.querySelectorAll("#map .point")];
const tip = document.getElementById("tip");
const spoken = document.getElementById("spoken");
const place = (point) => point.transform.baseVal[0].matrix;
const rows = { x: [...points].sort((a, b) => place(a).e - place(b).e), y: [...points].sort((a, b) => place(a).f - place(b).f) };
const view = document.getElementById("map").viewBox.baseVal;

function show(point) {
  points.forEach((one) => one.classList.toggle("now", one === point));
  const { e, f } = place(point);
  const x = e + 140 < view.width ? e + 10 : e - 138;
  tip.setAttribute("transform", `translate(${x},${Math.min(Math.max(f - 64, 2), view.height - 130)})`);
  tip.querySelector("use").setAttribute("href", "#" + point.dataset.image);
  tip.setAttribute("visibility", point.dataset.image ? "visible" : "hidden");
  spoken.textContent = point.getAttribute("aria-label");
}

points.forEach((point) => {
  point.addEventListener("mouseenter", () => show(point));
  point.addEventListener("focus", () => show(point));
  point.addEventListener("keydown", (event) => {
    const step = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowDown: ["y", 1], ArrowUp: ["y", -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const row = rows[step[0]];
    const next = row[(row.indexOf(point) + step[1] + row.length) % row.length];
    point.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
});
