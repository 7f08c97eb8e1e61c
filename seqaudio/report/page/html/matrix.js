"use strict";
// A self-similarity matrix: bar 1 at the lower left, both axes in bars.

class MatrixDrawing {
  constructor(figure, data) {
    this.canvas = figure.querySelector("canvas");
    this.readout = figure.querySelector(".readout");
    this.said = this.readout.textContent;
    this.data = data;
    this.cells = Uint8Array.from(atob(data.cells), (letter) => letter.charCodeAt(0));
    this.canvas.addEventListener("pointermove", (event) => this.tell(event));
    this.canvas.addEventListener("pointerleave", () => (this.readout.textContent = this.said));
  }

  draw() {
    const { bars, span, first, split } = this.data;
    const outer = Math.floor(this.canvas.parentElement.clientWidth);
    this.left = 34;
    this.side = outer - this.left - 8;
    const context = sized(this.canvas, outer, this.side + 32);
    context.imageSmoothingEnabled = false;
    this.edge = (this.side * (this.data.size * span)) / Math.max(bars, 1); // the last block may span fewer bars
    context.save();
    context.beginPath();
    context.rect(this.left, 4, this.side, this.side);
    context.clip();
    context.drawImage(this.picture(), this.left, 4 + this.side - this.edge, this.edge, this.edge);
    context.restore();
    context.strokeStyle = colour("rule");
    context.strokeRect(this.left - 0.5, 3.5, this.side + 1, this.side + 1);
    if (split) {
      const at = (this.side * split) / bars;
      context.strokeStyle = colour("new");
      context.lineWidth = 2;
      context.setLineDash([6, 4]);
      context.beginPath();
      context.moveTo(this.left + at, 4);
      context.lineTo(this.left + at, 4 + this.side);
      context.moveTo(this.left, 4 + this.side - at);
      context.lineTo(this.left + this.side, 4 + this.side - at);
      context.stroke();
    }
    this.axes(context, bars, first);
  }

  axes(context, bars, first) {
    const every = everyBars((bars * 34) / this.side);
    context.fillStyle = colour("soft");
    for (let bar = 0; bar < bars; bar += every) {
      const middle = (this.side * (bar + 0.5)) / bars;
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillText(first + bar, this.left + Math.max(middle, 4), this.side + 9);
      context.textAlign = "right";
      context.textBaseline = "middle";
      context.fillText(first + bar, this.left - 5, 4 + this.side - middle);
    }
    context.textAlign = "right";
    context.textBaseline = "top";
    context.fillText("bar", this.left - 5, this.side + 9);
  }

  picture() {
    const { size } = this.data;
    const picture = document.createElement("canvas");
    picture.width = picture.height = Math.max(size, 1);
    const context = picture.getContext("2d");
    const pixels = context.createImageData(picture.width, picture.height);
    const [pale, dark] = [channels("raised"), channels("alike")];
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const share = this.cells[row * size + column] / 255;
        const pixel = 4 * ((size - 1 - row) * size + column);
        for (let i = 0; i < 3; i++) pixels.data[pixel + i] = pale[i] + share * (dark[i] - pale[i]);
        pixels.data[pixel + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
    return picture;
  }

  tell(event) {
    const { bars, span, size, first } = this.data;
    const box = this.canvas.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left - this.left) / this.side) * bars);
    const y = Math.floor(((this.side + 4 - (event.clientY - box.top)) / this.side) * bars);
    if (x < 0 || y < 0 || x >= bars || y >= bars) {
      this.readout.textContent = this.said;
      return;
    }
    const share = this.cells[Math.floor(y / span) * size + Math.floor(x / span)] / 255;
    const near = span > 1 ? ` (the likest of ${span} by ${span} bars)` : "";
    this.readout.textContent = `Bars ${first + x} and ${first + y}: ${Math.round(100 * share)} % alike${near}.`;
  }
}
