// Candles and volume, drawn from the data attribute of #candles and following it: a push may hold all candles or the newest few.
import { Studies } from "./studies.js";

const DAY = "1d";

/** The colours of the style sheet, as they are now (they follow the reader's choice of light or dark). */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    up: colour("up"), down: colour("down"), upSoft: colour("up-soft"), downSoft: colour("down-soft"),
    ink: colour("muted"), line: colour("line"), grid: colour("grid"), panel: colour("panel"), label: colour("chart-label"),
  };
}

/** Whether the figures over the chart take more than two lines. */
function narrow() {
  return matchMedia("(max-width: 43.99rem)").matches;
}

function chartOptions(colours, span) {
  const crosshair = { color: colours.ink, labelBackgroundColor: colours.label };
  return {
    autoSize: true,
    layout: {
      attributionLogo: false, // the page's footer has the link instead
      background: { color: colours.panel }, textColor: colours.ink, fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: colours.line, separatorHoverColor: colours.grid },
    },
    grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
    rightPriceScale: { borderColor: colours.line, scaleMargins: { top: narrow() ? 0.28 : 0.14, bottom: 0.24 } },
    timeScale: { borderColor: colours.line, timeVisible: span !== DAY, secondsVisible: false, rightOffset: 3 },
    crosshair: { mode: LightweightCharts.CrosshairMode.Normal, vertLine: crosshair, horzLine: crosshair },
    localization: { locale: "en-GB", dateFormat: "yyyy-MM-dd" },
    handleScroll: { mouseWheel: false, vertTouchDrag: false }, // the wheel and a finger's way down belong to the page
    handleScale: { mouseWheel: false },
  };
}

/** Writes prices as the rest of the page does: all decimals of the tick, but idle zeros past the second. */
function priceFormatter(precision) {
  const options = { minimumFractionDigits: Math.min(precision, 2), maximumFractionDigits: precision };
  return new Intl.NumberFormat("en", options).format;
}

function candleColours({ up, down }) {
  return { upColor: up, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down };
}

/** What the data attribute holds, by the time a candle begins (seconds, in UTC). */
function parse(text) {
  return JSON.parse(text).map(([startMs, open, high, low, close, volume]) => ({
    time: startMs / 1000, open, high, low, close, volume,
  }));
}

function same(one, other) {
  return ["open", "high", "low", "close", "volume"].every((name) => one[name] === other[name]);
}

class Candles {
  constructor(place, source, form) {
    this.source = source;
    this.known = new Map();
    this.colours = palette();
    this.chart = LightweightCharts.createChart(place, chartOptions(this.colours, source.dataset.span));
    this.prices = this.chart.addSeries(LightweightCharts.CandlestickSeries, candleColours(this.colours));
    this.volumes = this.chart.addSeries(LightweightCharts.HistogramSeries, {
      priceFormat: { type: "volume" }, priceScaleId: "", lastValueVisible: false, priceLineVisible: false,
    });
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.studies = new Studies(this.chart, this.prices, this.known, form, () => this.tell());
    this.legend = new Legend(place, source.dataset.span);
    this.chart.subscribeCrosshairMove(({ time }) => {
      this.pointed = this.known.get(time);
      this.tell();
    });
  }

  bar({ time, open, close, volume }) {
    return { time, value: volume, color: close < open ? this.colours.downSoft : this.colours.upSoft };
  }

  tell() {
    const candle = this.pointed ?? this.known.get(this.newest);
    this.legend.show(candle, candle ? this.studies.words(candle.time) : "");
  }

  drawAll() {
    const candles = [...this.known.values()].sort((one, other) => one.time - other.time);
    this.prices.setData(candles);
    this.volumes.setData(candles.map((candle) => this.bar(candle)));
  }

  /** Start anew if prices and volumes are counted in another tick or lot than before. */
  measure() {
    const { tick, lot } = this.source.dataset;
    if (tick === this.tick && lot === this.lot) return;
    this.tick = tick;
    this.lot = lot;
    const formatter = priceFormatter(tick.split(".")[1]?.length ?? 0);
    this.prices.applyOptions({ priceFormat: { type: "custom", formatter, minMove: Number(tick) } });
    this.legend.clear(formatter);
    this.known.clear();
    this.newest = undefined;
    this.drawAll();
    this.studies.forget();
    this.studies.merge();
  }

  /** Take in what #candles holds now. Series can only be added to at their end, so an older candle that is new redraws them. */
  merge() {
    this.measure();
    const candles = parse(this.source.dataset.candles);
    if (candles.length === 0) return;
    const first = this.known.size === 0;
    const newest = this.newest ?? 0;
    if (!first && candles[0].time > newest) this.known.clear(); // nobody knows what lies between
    const changed = candles.filter((candle) => !this.known.has(candle.time) || !same(this.known.get(candle.time), candle));
    for (const candle of changed) this.known.set(candle.time, candle);
    this.newest = Math.max(newest, candles.at(-1).time);
    if (first || changed.some((candle) => candle.time < newest) || this.known.size === candles.length) this.drawAll();
    else {
      for (const candle of changed) {
        this.prices.update(candle);
        this.volumes.update(this.bar(candle));
      }
    }
    if (changed.length > 0) this.studies.draw();
    if (first) this.showNewest();
    this.tell();
  }

  /** Show the newest candles at a width that can be read, and no empty space for those that are not there. */
  showNewest() {
    const fitting = Math.max(40, Math.floor(this.chart.timeScale().width() / 8));
    const count = this.known.size;
    this.chart.timeScale().setVisibleLogicalRange({ from: count - Math.min(fitting, Math.max(count, 40)), to: count + 2 });
  }

  recolour() {
    this.colours = palette();
    this.chart.applyOptions(chartOptions(this.colours, this.source.dataset.span));
    this.prices.applyOptions(candleColours(this.colours));
    this.drawAll();
    this.studies.recolour();
  }
}

/** Lines of figures over the chart: those of the candle under the pointer, or the newest. */
class Legend {
  constructor(place, span) {
    this.volume = new Intl.NumberFormat("en", { maximumFractionDigits: 12 }).format;
    this.digits = span === DAY ? 10 : 16;
    this.line = document.createElement("p");
    this.line.className = "legend";
    this.more = document.createElement("p");
    this.more.className = "legend-more";
    const lines = document.createElement("div");
    lines.className = "legends";
    lines.append(this.line, this.more);
    place.append(lines);
  }

  clear(formatter) {
    this.price = formatter;
    this.line.textContent = "No trades yet";
    this.more.textContent = "";
  }

  show(candle, more) {
    if (!candle) return;
    this.more.textContent = more;
    const when = new Date(candle.time * 1000).toISOString().slice(0, this.digits).replace("T", " ");
    const figures = ["open", "high", "low", "close"].map((name) => `${name[0].toUpperCase()} ${this.price(candle[name])}`);
    this.line.textContent = [when, ...figures, `V ${this.volume(candle.volume)}`].join("   ");
    this.line.classList.toggle("down", candle.close < candle.open);
  }
}

/** Draw the candles of `source` in `place`, with what `form` asks for, and follow them, it and the colour scheme from now on. */
export function drawChart(place, source, form) {
  const candles = new Candles(place, source, form);
  candles.merge();
  new MutationObserver(() => candles.merge()).observe(source, { attributeFilter: ["data-candles", "data-tick", "data-lot"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => candles.recolour());
}
