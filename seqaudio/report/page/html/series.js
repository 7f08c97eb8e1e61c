"use strict";
// Numbers by bar: one line of them as columns, several as lines told apart by colour and dashes, shares as columns in
// parts, in the order of the legend from below.

const DASHES = [[], [7, 4], [2, 3]];

class SeriesDrawing {
  constructor(figure, data) {
    this.canvas = figure.querySelector("canvas");
    this.data = data;
  }

  draw() {
    const { bars, span, lines, top, first, shares } = this.data;
    const outer = Math.floor(this.canvas.parentElement.clientWidth);
    const [left, right, height] = [40, 4, 150];
    const width = outer - left - right;
    const context = sized(this.canvas, outer, height + 34);
    const highest = Math.max(0, ...lines.flat().filter((value) => value !== null));
    const step = niceStep(top || highest || 1);
    const end = top || Math.max(step, Math.ceil((highest * 1.02) / step) * step);
    const place = { x: (bar) => left + (width * bar) / Math.max(bars, 1), y: (value) => 8 + height * (1 - value / end) };
    this.grid(context, place, { end, step, outer, bars, first, every: everyBars((bars * 34) / width), bottom: 8 + height });
    if (shares) this.stack(context, place, lines, span);
    else lines.forEach((line, number) => {
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
    const { split } = this.data;
    line.forEach((value, i) => {
      if (value === null) return;
      const [from, to] = this.sides(place, i, span);
      context.fillStyle = colour(split !== null && i * span >= split ? "new" : "before");
      context.fillRect(from, place.y(value), to - from, place.y(0) - place.y(value));
    });
  }

  // Left and right of a column, with a gap to its neighbours.
  sides(place, i, span) {
    const [from, to] = [place.x(i * span), place.x(Math.min((i + 1) * span, this.data.bars))];
    const gap = Math.min(2, (to - from) * 0.15);
    return [from + gap / 2, to - gap / 2];
  }

  stack(context, place, lines, span) {
    const below = lines[0].map(() => 0);
    lines.forEach((line, number) => {
      // From grey on: the first two colours are those of primer and continuation, and would be read as such.
      context.fillStyle = colour("line-" + ((6 + 5 * number) % 7));
      line.forEach((value, i) => {
        if (!value) return;
        const [from, to] = this.sides(place, i, span);
        const [low, high] = [place.y(below[i]), place.y((below[i] += value))];
        context.fillRect(from, high, to - from, Math.max(low - high - 1, 0));
      });
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
