// Interactive plots by Bokeh. The server reduces the data to the pixels; zooming and panning ask for finer data.
const { Plotting, Range1d, ColumnDataSource, LinearColorMapper, ColorBar, HoverTool, Palettes } = window.Bokeh;
const { ndarray } = window.Bokeh.require("core/util/ndarray");
const holder = document.getElementById("plots");
const HEIGHT = { series: 240, image: 300 };
const ASK_AFTER_MS = 60;
const style = getComputedStyle(document.documentElement);
const color = (name) => style.getPropertyValue(name).trim();
const COLORS = { Bad: color("--bad"), Indeterminate: color("--wait") };
const ranges = new Map();

function unpack(text, type) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new type(bytes.buffer);
}

async function ask(variable, width, height, range) {
  const query = new URLSearchParams({ key: holder.dataset.key, var: variable, columns: width, rows: height });
  if (range) {
    query.set("begin", range.start);
    query.set("end", range.end);
  }
  const answer = await fetch(`/data/plot.json?${query}`);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

const lineOf = (found) => ({ x: unpack(found.x, Float64Array), y: unpack(found.y, Float64Array) });
const imageOf = (found) => ({
  image: [ndarray(unpack(found.z, Float32Array), { dtype: "float32", shape: found.shape })],
  x: [found.left], y: [found.bottom], dw: [found.right - found.left], dh: [found.top - found.bottom],
});

function stripsOf(found, names) {
  const columns = { left: [], right: [], y: [], meaning: [], color: [] };
  for (const strip of found.strips) {
    for (const [left, right] of strip.spans) {
      columns.left.push(left);
      columns.right.push(right);
      columns.y.push(names.indexOf(strip.meaning));
      columns.meaning.push(strip.meaning);
      columns.color.push(COLORS[strip.assessment] || COLORS.Bad);
    }
  }
  return columns;
}

function themed(figure) {
  figure.background_fill_color = figure.border_fill_color = null;
  figure.outline_line_color = color("--line");
  for (const axis of [...figure.xaxes, ...figure.yaxes]) {
    axis.axis_line_color = axis.major_tick_line_color = color("--line");
    axis.minor_tick_line_color = null;
    axis.major_label_text_color = axis.axis_label_text_color = color("--muted");
    axis.axis_label_text_font_style = "normal";
  }
  for (const grid of figure.center.filter((one) => one.grid_line_color !== undefined)) {
    grid.grid_line_color = color("--line");
    grid.grid_line_alpha = 0.6;
  }
  figure.title.text_color = color("--ink");
  figure.title.text_font_style = "normal";
  figure.toolbar.logo = null;
}

function newFigure(found, height, label, y_range) {
  if (!ranges.has(found.x_name)) {
    ranges.set(found.x_name, new Range1d({ start: found.x_range[0], end: found.x_range[1] }));
  }
  const figure = new Plotting.Figure({
    height, sizing_mode: "stretch_width", x_range: ranges.get(found.x_name), ...(y_range ? { y_range } : {}),
    x_axis_type: found.is_time ? "datetime" : "linear", tools: "pan,xwheel_zoom,box_zoom,reset,save",
    title: found.long_name, min_border_left: 70, min_border_right: 90,
  });
  figure.toolbar.active_scroll = figure.toolbar.tools.find((tool) => tool.type.includes("WheelZoom")) || null;
  figure.yaxes[0].axis_label = label;
  return figure;
}

function drawSeries(found) {
  const figure = newFigure(found, HEIGHT.series, found.units);
  const line = new ColumnDataSource({ data: lineOf(found) });
  figure.line({ x: { field: "x" }, y: { field: "y" }, source: line, line_color: color("--accent"), line_width: 1.5 });
  figure.scatter({ x: { field: "x" }, y: { field: "y" }, source: line, size: 3, color: color("--accent") });
  figure.add_tools(
    new HoverTool({
      mode: "vline", point_policy: "snap_to_data",
      tooltips: [[found.x_name, found.is_time ? "@x{%F %T}" : "@x"], [found.name, "@y{0.000} " + found.units]],
      formatters: { "@x": found.is_time ? "datetime" : "numeral" },
    }),
  );
  return [figure, (fresh) => (line.data = lineOf(fresh))];
}

function drawStrips(found) {
  const names = found.strips.map((strip) => strip.meaning);
  if (!names.length) return null;
  const figure = newFigure(found, 48 + 18 * names.length, "QC", new Range1d({ start: names.length - 0.5, end: -0.5 }));
  figure.title.visible = false;
  figure.toolbar_location = null;
  figure.xaxes[0].visible = false;
  figure.yaxes[0].major_label_overrides = new Map(names.map((name, row) => [row, name.replace("Value is ", "")]));
  figure.yaxes[0].ticker = new window.Bokeh.FixedTicker({ ticks: names.map((_, row) => row) });
  const source = new ColumnDataSource({ data: stripsOf(found, names) });
  figure.hbar({
    y: { field: "y" }, right: { field: "right" }, left: { field: "left" }, source, fill_color: { field: "color" }, line_color: { field: "color" }, height: 0.6,
  });
  figure.add_tools(new HoverTool({ tooltips: [["QC", "@meaning"]] }));
  return [figure, (fresh) => (source.data = stripsOf(fresh, names))];
}

function drawImage(found) {
  const [low, high] = [Math.min(found.bottom, found.top), Math.max(found.bottom, found.top)];
  const y_range = found.is_down ? new Range1d({ start: high, end: low }) : new Range1d({ start: low, end: high });
  const figure = newFigure(found, HEIGHT.image, `${found.y_name} (${found.y_units})`, y_range);
  const mapper = new LinearColorMapper({
    palette: Palettes?.Viridis256 || window.Bokeh.Palettes.Viridis256, low: found.low, high: found.high,
    nan_color: "rgba(0, 0, 0, 0)",
  });
  const source = new ColumnDataSource({ data: imageOf(found) });
  figure.image({
    image: { field: "image" }, x: { field: "x" }, y: { field: "y" }, dw: { field: "dw" }, dh: { field: "dh" }, source,
    color_mapper: mapper,
  });
  figure.add_layout(
    new ColorBar({
      color_mapper: mapper, title: found.units, width: 10, background_fill_color: null, title_text_color: color("--muted"),
      major_label_text_color: color("--muted"), title_text_font_style: "normal",
    }),
    "right",
  );
  figure.min_border_right = 10;
  figure.add_tools(
    new HoverTool({
      tooltips: [[found.x_name, found.is_time ? "$x{%F %T}" : "$x"], [found.y_name, "$y{0.0}"], [found.name, "@image{0.000} " + found.units]],
      formatters: { $x: found.is_time ? "datetime" : "numeral" },
    }),
  );
  return [figure, (fresh) => (source.data = imageOf(fresh))];
}

// Return the figures of a variable, and what shows fresh data in them.
async function draw(name, width) {
  const found = await ask(name, width, HEIGHT.image);
  const drawn = found.kind === "image" ? [drawImage(found)] : [drawSeries(found), drawStrips(found)].filter(Boolean);
  for (const [figure] of drawn) themed(figure);
  return { name, range: ranges.get(found.x_name), figures: drawn.map(([figure]) => figure), renew: drawn.map(([, renew]) => renew) };
}

function followRange(plots, range, width) {
  let timer = 0;
  range.change.connect(() => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const shown = plots.filter((plot) => plot.range === range);
      await Promise.all(
        shown.map(async ({ name, renew }) => {
          const fresh = await ask(name, width, HEIGHT.image, range);
          for (const show of renew) show(fresh);
        }),
      );
      holder.dataset.updates = Number(holder.dataset.updates || 0) + 1;
    }, ASK_AFTER_MS);
  });
}

async function drawAll() {
  const width = Math.max(200, holder.clientWidth - 170);
  const plots = [];
  for (const name of JSON.parse(holder.dataset.variables)) plots.push(await draw(name, width));
  if (!plots.length) return;
  const children = plots.flatMap((plot) => plot.figures);
  await Plotting.show(new window.Bokeh.Column({ children, sizing_mode: "stretch_width", spacing: 4 }), holder);
  for (const range of new Set(plots.map((plot) => plot.range))) followRange(plots, range, width);
  holder.dataset.drawn = plots.length;
}

drawAll().catch((error) => {
  holder.append(Object.assign(document.createElement("p"), { className: "bad", textContent: error.message }));
});
