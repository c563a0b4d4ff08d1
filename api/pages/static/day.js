// Makes the server's drawings interactive with the same specifications; the page is whole without it.
// Readings over time come from the table twin of each chart, so tooltip, table and drawing cannot differ.
"use strict";
(() => {
  const live = document.getElementById("live");
  const tip = document.getElementById("tip");
  if (!live || !window.vegaEmbed) return;
  const plan = live.dataset.plan;
  const lang = document.documentElement.lang;
  const started = performance.now();
  const now = () => Number(live.dataset.now) + (performance.now() - started);
  const views = new Map();

  const place = (event) => {
    const room = 14;
    const box = tip.getBoundingClientRect();
    const x = event.clientX + room + box.width > innerWidth ? event.clientX - room - box.width : event.clientX + room;
    const y = event.clientY + room + box.height > innerHeight ? event.clientY - room - box.height : event.clientY + room;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${Math.max(4, y)}px`;
  };
  const show = (event, pairs) => {
    const list = document.createElement("dl");
    for (const [name, value] of pairs) {
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = name;
      dd.textContent = value;
      list.append(dt, dd);
    }
    tip.replaceChildren(list);
    tip.hidden = false;
    place(event);
  };
  const hide = () => { tip.hidden = true; };
  const marks = (handler, event, item, value) => {
    if (value && typeof value === "object") show(event, Object.entries(value).map(([k, v]) => [k, String(v)]));
    else if (!handler.timed) hide();
  };

  const reading = (name, view, event, first, step) => {
    const frame = view.container().querySelector("svg").getBoundingClientRect();
    const x = event.clientX - frame.left - view.origin()[0];
    const at = Number(view.scale("x").invert(x));
    const inside = x >= 0 && x <= view.width();
    for (const [, other] of views) if (other.timed) other.view.signal("cursor", inside ? at : 0).runAsync();
    const table = document.querySelector(`#table-${name} table`);
    if (!inside || !table || !table.dataset.slots) return hide();
    const row = table.tBodies[0].rows[Math.floor((at - first) / step)];
    if (!row) return hide();
    const heads = table.tHead.rows[0].cells;
    show(event, [...row.cells].map((cell, k) => [heads[k].textContent, cell.textContent]));
  };

  const fit = (box, spec) => (box.classList.contains("timed") ? Math.max(560, box.clientWidth - 172) : spec.width);

  const embed = async (box, spec) => {
    const name = box.dataset.chart;
    const timed = box.classList.contains("timed");
    const target = document.createElement("div");
    target.className = "stage";
    const handler = { timed };
    const result = await vegaEmbed(target, { ...spec, width: fit(box, spec) }, {
      ast: true, actions: false, defaultStyle: false, renderer: "svg",
      tooltip: (h, event, item, value) => marks(handler, event, item, value),
      loader: { load: () => Promise.reject(new Error("charts load nothing")) },
    });
    box.replaceChildren(target);
    const view = result.view;
    views.set(name, { view, timed, box, spec });
    if (timed) {
      const params = Object.fromEntries((spec.params || []).map((p) => [p.name, p.value]));
      view.signal("now", now());
      await view.runAsync();
      const table = document.querySelector(`#table-${name} table`);
      const slots = params.labels.length - 1;
      if (table && table.tBodies[0].rows.length === slots && !["gantt", "caps"].includes(name)) table.dataset.slots = slots;
      target.addEventListener("pointermove", (event) => {
        if (table && table.dataset.slots) reading(name, view, event, params.first_ms, params.step_ms);
      });
      target.addEventListener("pointerleave", () => {
        hide();
        for (const [, other] of views) if (other.timed) other.view.signal("cursor", 0).runAsync();
      });
    }
    box.dataset.interactive = "yes";
  };

  const start = async () => {
    const answer = await fetch(`/charts.json?lang=${encodeURIComponent(lang)}${live.dataset.archived ? `&plan=${encodeURIComponent(plan)}` : ""}`);
    if (!answer.ok) return;
    const kept = await answer.json();
    if (kept.plan_id !== plan) return location.reload();
    for (const box of document.querySelectorAll(".drawing[data-chart]")) {
      const spec = kept.specs[box.dataset.chart];
      if (spec) await embed(box, spec);
    }
    for (const hint of document.querySelectorAll(".script-only")) hint.hidden = false;
    document.documentElement.dataset.ready = "yes";
  };

  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const [, { view, timed, box, spec }] of views) if (timed) view.width(fit(box, spec)).runAsync();
    }, 150);
  });

  setInterval(async () => {
    for (const [, { view, timed }] of views) if (timed) view.signal("now", now()).runAsync();
    if (live.dataset.archived) return;
    try {
      const answer = await fetch(`/status.json?lang=${encodeURIComponent(lang)}`);
      const status = await answer.json();
      if (status.plan_id !== plan) return location.reload();
      document.getElementById("age").textContent = status.age;
    } catch (error) {
      console.warn("the service did not answer", error.message);
    }
  }, 20000);

  start();
})();
