"use strict";
// Sheets: the data of the page, column by column; packed by personascan/report/sheets/columns.py.
const KINDS = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array,
};
const MISSING = -32768;

// A loop: ten times as fast as Uint8Array.from with a function.
function decoded(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

async function unsqueezed(text) {
  const bytes = decoded(text);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function unpacked(column) {
  if (column.texts) {
    const codes = unpacked(column.codes);
    return Array.from(codes, (code) => column.texts[code]);
  }
  const values = new KINDS[column.kind](decoded(column.bytes).buffer);
  if (!column.step) return values;
  const found = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    found[i] = values[i] === MISSING ? NaN : values[i] * column.step;
  }
  return found;
}

class Sheets {
  constructor(packed) {
    this.packed = packed;
    this.read = {};
  }

  sheet(name) {
    if (!this.read[name]) {
      const { columns, by, starts, keys } = this.packed[name];
      const names = Object.keys(columns);
      const values = names.map((key) => unpacked(columns[key]));
      const length = values.length ? values[0].length : 0;
      const rows = new Array(length);
      this.read[name] = { names, values, by, keys, length, rows, starts: unpacked(starts) };
    }
    return this.read[name];
  }

  // One row, with what its keys number; what it has itself goes before.
  row(name, number) {
    const { names, values, keys, rows } = this.sheet(name);
    if (rows[number]) return rows[number];
    const found = {};
    for (const key in keys) {
      Object.assign(found, this.row(keys[key], values[names.indexOf(key)][number]));
    }
    for (let i = 0; i < names.length; i += 1) {
      const value = values[i][number];
      found[names[i]] = value !== value ? null : value; // NaN
    }
    rows[number] = found;
    return found;
  }

  range(name, from, to) {
    const found = [];
    for (let i = from; i < to; i += 1) found.push(this.row(name, i));
    return found;
  }

  every(name) {
    return this.range(name, 0, this.sheet(name).length);
  }

  // Whether a feed's rows depend on something that is chosen.
  follows(feed, names) {
    const { by } = this.packed[feed.sheet] || {};
    return names.some((name) => feed.only === name || feed.group === name
      || (by === name && !feed.every && !feed.only && !feed.group)
      || Object.values(feed.match).includes(name));
  }

  // The rows of the chosen group.
  rows(name, chosen) {
    const { by, starts, length } = this.sheet(name);
    if (!by) return this.range(name, 0, length);
    const group = chosen[by];
    return group >= 0 ? this.range(name, starts[group], starts[group + 1]) : [];
  }

  // The rows of a picture's feed (personascan/report/pictures.py).
  fed(feed, chosen) {
    let rows;
    if (feed.only) rows = chosen[feed.only] >= 0 ? [this.row(feed.sheet, chosen[feed.only])] : [];
    else if (feed.every) rows = this.every(feed.sheet);
    else rows = this.rows(feed.sheet, feed.group ? { [this.packed[feed.sheet].by]: chosen[feed.group] } : chosen);
    for (const [column, value] of Object.entries(feed.where)) {
      rows = rows.filter((row) => row[column] === value);
    }
    for (const [column, name] of Object.entries(feed.match)) {
      rows = rows.filter((row) => row[column] === chosen[name]);
    }
    return rows;
  }
}

// A number as a reader wants it: six digits, which is what the study's tables have.
function plain(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}

// A p or q as every sentence writes it.
function pWords(value) {
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

function formatted(value, form) {
  if (value === null || value === undefined) return "none";
  if (form === "p") return pWords(value);
  if (form === "d") return String(Math.round(value));
  const digits = /\.(\d+)/.exec(form);
  if (form.endsWith("%")) return `${(100 * value).toFixed(digits ? digits[1] : 0)}%`;
  const sign = form.startsWith("+") && value >= 0 ? "+" : "";
  return digits ? sign + value.toFixed(digits[1]) : String(value);
}

// {column:format} in a template by the values of a row.
function filled(template, row) {
  return template.replace(/\{(\w+):?([^}]*)\}/g, (_, column, form) => formatted(row[column], form));
}
