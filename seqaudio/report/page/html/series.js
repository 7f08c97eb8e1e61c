"use strict";
// Numbers by bar: one line of them as columns, several as lines told apart by colour and dashes.

const DASHES = [[], [7, 4], [2, 3]];

class SeriesDrawing {
  constructor(figure, data) {
    this.canvas = figure.querySelector("canvas");
    this.data = data;
  }

  draw() {
    const { bars, span, lines, top, first } = this.data;
    const outer = Math.floor(this.canvas.parentElement.clientWidth);
    const [left, right, height] = [40, 4, 150];
    const width = outer - left - right;
    const context = sized(this.canvas, outer, height + 34);
    const highest = Math.max(0, ...lines.flat().filter((value) => value !== null));
    const step = niceStep(top || highest || 1);
    const end = top || Math.max(step, Math.ceil((highest * 1.02) / step) * step);
    const place = { x: (bar) => left + (width * bar) / Math.max(bars, 1), y: (value) => 8 + height * (1 - value / end) };
    this.grid(context, place, { end, step, outer, bars, first, every: everyBars((bars * 34) / width), bottom: 8 + height });
    lines.forEach((line, number) => {
      if (lines.length === 1) this.columns(context, place, line, span);
      else this.line(context, place, line, span, number);
    });
  }

  grid(context, place, { end, step, outer, bars, first, every, bottom }) {
    context.lineWidth = 1;
    context.strokeStyle = colour("rule");
    context.fillStyle = colour("soft");
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let i = 0; i * step <= end * 1.0001; i++) {
      const y = Math.round(place.y(i * step)) + 0.5;
      context.beginPath();
      context.moveTo(place.x(0), y);
      context.lineTo(outer - 4, y);
      context.stroke();
      context.fillText(+(i * step).toPrecision(6), place.x(0) - 6, y);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (let bar = 0; bar < bars; bar += every) {
      context.fillText(first + bar, Math.max(place.x(bar + 0.5), place.x(0) + 4), bottom + 6);
    }
    context.textAlign = "right";
    context.fillText("bar", place.x(0) - 6, bottom + 6);
    if (this.data.split) {
      const x = place.x(this.data.split);
      context.strokeStyle = colour("new");
      context.lineWidth = 2;
      context.setLineDash([6, 4]);
      context.beginPath();
      context.moveTo(x, 2);
      context.lineTo(x, bottom);
      context.stroke();
      context.setLineDash([]);
    }
  }

  columns(context, place, line, span) {
    const { split, bars } = this.data;
    line.forEach((value, i) => {
      if (value === null) return;
      const [from, to] = [place.x(i * span), place.x(Math.min((i + 1) * span, bars))];
      const gap = Math.min(2, (to - from) * 0.15);
      context.fillStyle = colour(split !== null && i * span >= split ? "new" : "before");
      context.fillRect(from + gap / 2, place.y(value), to - from - gap, place.y(0) - place.y(value));
    });
  }

  line(context, place, line, span, number) {
    context.strokeStyle = colour("line-" + (number % 7));
    context.lineWidth = 2;
    context.setLineDash(DASHES[number % 3]);
    context.beginPath();
    let drawing = false;
    line.forEach((value, i) => {
      if (value === null) {
        drawing = false;
        return;
      }
      const x = place.x((i + 0.5) * span);
      if (drawing) context.lineTo(x, place.y(value));
      else context.moveTo(x, place.y(value));
      drawing = true;
    });
    context.stroke();
    context.setLineDash([]);
  }
}
