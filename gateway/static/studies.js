// What is drawn beside the candles: indicators as lines, one pane below, and arrows where a rule gave a signal. What of it is shown, the
// form over the chart says; the data are in #studies and #signals, and follow them.

const ARROWS = {
  BUY: { position: "belowBar", shape: "arrowUp", colour: "up" },
  SELL: { position: "aboveBar", shape: "arrowDown", colour: "down" },
};
const PANE_PART = 0.36; // of the height of the candles
const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });
const PANE_INKS = ["line-1", "line-2", "line-5"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Whether an output is drawn as bars up and down from zero. */
function isBars(output) {
  return output.endsWith(".histogram");
}

/** What the form asks for: the outputs to draw, each with its colour, place and levels beside it, and the rule whose signals count. */
function wanted(form) {
  const drawn = [];
  form.querySelectorAll("[name=line]").forEach((box, index) => {
    if (!box.checked) return;
    for (const output of box.dataset.outputs.split(" ")) {
      drawn.push({ output, label: box.labels[0].textContent, ink: `line-${index + 1}`, pane: 0, dotted: output.endsWith(".middle") });
    }
  });
  const chosen = form.elements.pane.selectedOptions[0];
  const outputs = chosen.dataset.outputs?.split(" ") ?? [];
  const first = outputs.find((output) => !isBars(output));
  outputs.forEach((output, index) => {
    const bounds = output === first && chosen.dataset.bounds ? chosen.dataset.bounds.split(" ").map(Number) : [];
    drawn.push({ output, label: chosen.textContent, ink: PANE_INKS[index], pane: 1, bars: isBars(output), bounds });
  });
  return { drawn, rule: form.elements.marks.value };
}

export class Studies {
  /** `chart` and `prices` (its series of candles) draw; `known` are the candles by time, `form` says what is shown; `tell` hears of changes. */
  constructor(chart, prices, known, form, tell) {
    Object.assign(this, { chart, prices, known, form });
    this.source = document.getElementById("studies");
    this.rows = new Map();
    this.series = new Map();
    this.arrows = LightweightCharts.createSeriesMarkers(prices, []);
    this.reasons = new Map();
    form.addEventListener("change", () => {
      history.replaceState(history.state, "", `?${this.address()}`);
      this.draw();
      tell();
    });
    const follow = (element, attribute, act) => new MutationObserver(() => { act(); tell(); }).observe(element, { attributeFilter: [attribute] });
    follow(this.source, "data-rows", () => { this.merge(); this.drawLines(); });
    follow(document.getElementById("signals"), "data-marks", () => this.drawArrows());
    this.merge();
  }

  /** The page's own address with what is shown now, so that it can be kept and sent on. */
  address() {
    const asked = new URLSearchParams(new FormData(this.form));
    asked.set("span", document.getElementById("candles").dataset.span);
    return asked;
  }

  /** Take in what #studies holds: all bars, or the newest few. */
  merge() {
    const names = this.source.dataset.outputs.split(" ");
    for (const [startMs, ...values] of JSON.parse(this.source.dataset.rows)) {
      this.rows.set(startMs / 1000, Object.fromEntries(names.map((name, index) => [name, values[index]])));
    }
  }

  draw() {
    this.drawLines();
    this.drawArrows();
  }

  drawLines() {
    const { drawn } = wanted(this.form);
    const outputs = new Set(drawn.map(({ output }) => output));
    for (const [output, line] of this.series) {
      if (outputs.has(output)) continue;
      this.chart.removeSeries(line);
      this.series.delete(output);
    }
    const times = [...this.known.keys()].sort((one, other) => one - other);
    for (const each of drawn) {
      if (!this.series.has(each.output)) this.series.set(each.output, this.add(each));
      this.series.get(each.output).setData(times.map((time) => this.point(time, each)));
    }
    const [candles, below] = this.chart.panes();
    candles.setStretchFactor(1);
    below?.setStretchFactor(PANE_PART);
  }

  add({ ink, pane, dotted, bars, bounds }) {
    const { LineSeries, HistogramSeries, LineStyle } = LightweightCharts;
    const options = {
      color: colour(ink), priceLineVisible: false, lastValueVisible: pane === 1 && !bars,
      priceFormat: pane === 0 ? this.prices.options().priceFormat : { type: "custom", formatter: figures.format, minMove: 1e-9 },
    };
    if (bars) return this.chart.addSeries(HistogramSeries, options, pane);
    const lineStyle = dotted ? LineStyle.Dotted : LineStyle.Solid;
    const line = this.chart.addSeries(LineSeries, { ...options, lineWidth: pane + 1, lineStyle, crosshairMarkerVisible: false }, pane);
    for (const price of bounds ?? []) {
      line.createPriceLine({ price, color: colour("field"), lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: false });
    }
    return line;
  }

  point(time, { output, bars }) {
    const value = this.rows.get(time)?.[output];
    if (value === undefined || value === null) return { time }; // a gap, such as before it is warm
    return bars ? { time, value, color: colour(value < 0 ? "down-soft" : "up-soft") } : { time, value };
  }

  drawArrows() {
    const { rule } = wanted(this.form);
    this.reasons.clear();
    const marks = [];
    for (const [startMs, action, said, reason] of JSON.parse(document.getElementById("signals").dataset.marks)) {
      const time = startMs / 1000;
      if (said !== rule || !this.known.has(time)) continue;
      this.reasons.set(time, `${action} ${said}: ${reason}`);
      const { position, shape, colour: ink } = ARROWS[action];
      marks.push({ time, position, shape, color: colour(ink), text: action[0] });
    }
    this.arrows.setMarkers(marks);
  }

  /** What is drawn at a time, in words: the values, and why there is a signal. */
  words(time) {
    const values = this.rows.get(time) ?? {};
    const byLabel = new Map();
    for (const { output, label } of wanted(this.form).drawn) {
      const value = values[output] ?? null;
      byLabel.set(label, [...(byLabel.get(label) ?? []), value === null ? "–" : figures.format(value)]);
    }
    const lines = [...byLabel].map(([label, shown]) => `${label} ${shown.join(" / ")}`);
    return [...lines, this.reasons.get(time)].filter(Boolean).join("   ");
  }

  /** Take the colours anew. */
  recolour() {
    for (const line of this.series.values()) this.chart.removeSeries(line);
    this.series.clear();
    this.draw();
  }

  /** Forget all bars, for prices are counted in another tick from now on. */
  forget() {
    this.rows.clear();
    this.recolour();
  }
}
