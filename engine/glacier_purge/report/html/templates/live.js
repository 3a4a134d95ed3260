"use strict";
const fields = document.querySelectorAll("[data-field]");
const now = document.querySelector(".now");
const age = document.querySelector("[data-age]");
let heard = Date.now();
const news = new EventSource("events");
news.onmessage = (message) => {
  heard = Date.now();
  const facts = JSON.parse(message.data);
  for (const field of fields) if (field.dataset.field in facts) field.textContent = facts[field.dataset.field];
  for (const meter of document.querySelectorAll("progress")) meter.value = facts.percent;
  now.className = "now " + facts.kind;
  document.title = facts.title;
  if (facts.chart) {
    const drawn = new DOMParser().parseFromString("<g xmlns='http://www.w3.org/2000/svg'>" + facts.chart + "</g>", "image/svg+xml");
    document.querySelector("[data-chart]").replaceChildren(...Array.from(drawn.documentElement.children, (one) => document.importNode(one, true)));
  }
  if (facts.rows) {
    const body = document.querySelector("[data-rows]");
    const names = Array.from(body.parentNode.querySelectorAll("thead th"), (one) => one.textContent);
    const named = body.dataset.named.split(" ");
    body.replaceChildren(...facts.rows.map((cells) => {
      const row = document.createElement("tr");
      cells.forEach((words, place) => {
        const cell = row.appendChild(document.createElement(place ? "td" : "th"));
        cell.textContent = words;
        if (!place) cell.scope = "row";
        else if (named.includes(String(place))) cell.dataset.name = names[place];
        if (place && !words) cell.className = "void";
      });
      return row;
    }));
  }
};
setInterval(() => {
  const seconds = Math.round((Date.now() - heard) / 1000);
  age.textContent = seconds < 5 ? "just now" : seconds + " s ago";
  if (seconds > 30) now.className = "now stale";
}, 1000);
