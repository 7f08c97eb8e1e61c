"use strict";
// What every drawing needs: the page's colours, a canvas of the right size, and bar numbers on an axis.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function channels(name) {
  const hex = colour(name);
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// A context to draw in CSS pixels, sharp on any screen, empty.
function sized(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.font = "12px system-ui, sans-serif";
  return context;
}

function sums(steps) {
  let at = 0;
  return steps.map((step) => (at += step));
}

// How many of sorted values are at most x.
function countUpTo(values, x) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The least of 1, 2, 4, 8 ... that is at least x: phrases have four or eight bars.
function everyBars(x) {
  let every = 1;
  while (every < x) every *= 2;
  return every;
}

// Steps of 1, 2 or 5 times a power of ten, some four of them up to a height.
function niceStep(top) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((times) => times * power >= rough);
}
