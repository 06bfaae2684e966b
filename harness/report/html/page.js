"use strict";
(() => {
  // Filters: by verdict, stage and tag, each form for its own article.
  const matches = (row, form) => {
    const data = new FormData(form);
    const stage = data.get("stage");
    const tag = data.get("tag");
    return (
      data.getAll("status").includes(row.dataset.status) &&
      (!stage || row.dataset.stage === stage) &&
      (!tag || row.dataset.tags.split(" ").includes(tag))
    );
  };
  const filter = (form) => {
    const article = form.closest("article");
    let shown = 0;
    let all = 0;
    for (const group of article.querySelectorAll(".group")) {
      const rows = [...group.querySelectorAll("tr.claim")];
      for (const row of rows) {
        row.hidden = !matches(row, form);
        shown += row.hidden ? 0 : 1;
      }
      all += rows.length;
      const table = group.querySelector("table.claims");
      if (table) {
        const none = rows.every((row) => row.hidden);
        table.hidden = none;
        group.hidden = none && !group.querySelector("figure");
      }
    }
    form.querySelector("output").textContent = `${shown} of ${all} claims`;
  };
  for (const form of document.querySelectorAll("form.filters")) {
    form.hidden = false;
    form.addEventListener("change", () => filter(form));
    form.addEventListener("submit", (event) => event.preventDefault());
    filter(form);
  }

  // A link to a claim shows it, also when the filters hide it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const row = target && target.closest("tr.claim");
    if (row && row.hidden) {
      const form = row.closest("article").querySelector("form.filters");
      form.reset();
      filter(form);
    }
    if (target) {
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  if (location.hash) {
    reveal();
  }

  // Copying a display filter.
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) {
      return;
    }
    const label = button.firstChild;
    label.data = (await copied(button.dataset.copy)) ? "Copied" : "Failed";
    button.focus();
    setTimeout(() => {
      label.data = "Copy";
    }, 1500);
  });

  // Plots: the nearest point's words, by pointer and by arrow keys.
  const plot = (drawing) => {
    const points = JSON.parse(drawing.querySelector("script").textContent);
    const svg = drawing.querySelector("svg");
    const readout = drawing.querySelector(".readout");
    const axis = drawing.dataset.axis;
    const width = Number(drawing.dataset.width);
    const height = Number(drawing.dataset.height);
    const mark = document.createElementNS("http://www.w3.org/2000/svg", axis === "xy" ? "circle" : "path");
    mark.setAttribute("class", "here");
    let at = -1;
    const hide = () => {
      readout.hidden = true;
      mark.remove();
    };
    const show = (place) => {
      at = place;
      const [x, y, words] = points[place];
      if (axis === "xy") {
        mark.setAttribute("cx", x);
        mark.setAttribute("cy", y);
        mark.setAttribute("r", 7);
      } else {
        mark.setAttribute("d", axis === "x" ? `M${x} 0V${height}` : `M0 ${y}H${width}`);
      }
      svg.append(mark);
      readout.hidden = false;
      readout.textContent = words;
      const scale = svg.getBoundingClientRect().width / width;
      const left = Math.min(x * scale + 12, drawing.clientWidth - readout.offsetWidth);
      readout.style.left = `${Math.max(0, left)}px`;
      readout.style.top = `${Math.max(0, y * scale - readout.offsetHeight - 10)}px`;
    };
    const distance = (point, x, y) =>
      (axis === "y" ? 0 : (point[0] - x) ** 2) + (axis === "x" ? 0 : (point[1] - y) ** 2);
    drawing.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const y = ((event.clientY - box.top) / box.height) * height;
      let best = 0;
      for (let place = 1; place < points.length; place += 1) {
        if (distance(points[place], x, y) < distance(points[best], x, y)) {
          best = place;
        }
      }
      show(best);
    });
    drawing.addEventListener("pointerleave", hide);
    drawing.addEventListener("blur", hide);
    drawing.addEventListener("focus", () => {
      if (drawing.matches(":focus-visible")) {
        show(Math.max(0, at));
      }
    });
    const keys = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 30, PageUp: -30 };
    drawing.addEventListener("keydown", (event) => {
      const last = points.length - 1;
      let next;
      if (event.key in keys) {
        next = Math.min(last, Math.max(0, at + keys[event.key]));
      } else if (event.key === "Home" || event.key === "End") {
        next = event.key === "Home" ? 0 : last;
      } else if (event.key === "Escape") {
        hide();
        return;
      } else {
        return;
      }
      event.preventDefault();
      show(next);
    });
  };
  // Drawn when first needed: a page of many plots must not read all points at its start.
  const ready = new WeakSet();
  for (const name of ["pointerover", "focusin"]) {
    document.addEventListener(name, (event) => {
      const drawing = event.target.closest && event.target.closest(".drawing");
      if (drawing && !ready.has(drawing)) {
        ready.add(drawing);
        plot(drawing);
        drawing.dispatchEvent(new Event("focus"));
      }
    });
  }

  // Print shows what differs.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("tr.refuted details")) {
      details.open = true;
    }
  });
})();
