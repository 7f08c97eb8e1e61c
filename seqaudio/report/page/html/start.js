"use strict";
// The page's own drawings, each beside the figure it belongs to; drawn again when the room or the colours change.

(function start() {
  const panels = JSON.parse(document.getElementById("drawings").textContent);
  const drawings = [];
  document.querySelectorAll("section.piece").forEach((section, number) => {
    const data = panels[number];
    if (data.roll) drawings.push(new Roll(section.querySelector("figure.roll"), data.roll));
    section.querySelectorAll("figure.matrix").forEach((figure, i) => drawings.push(new MatrixDrawing(figure, data.matrices[i])));
    section.querySelectorAll("figure.series").forEach((figure, i) => drawings.push(new SeriesDrawing(figure, data.series[i])));
  });
  const draw = () => drawings.forEach((drawing) => drawing.draw());
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return; // only the height changed, by a table that opened
    width = document.body.clientWidth;
    draw();
  }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("visibilitychange", () => playing && playing.plan());
})();
