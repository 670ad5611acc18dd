/**
 * The picture of models against published points, as an SVG that stands alone and follows the
 * reader's light or dark: a row for each point, how far off it is, and how far it may be.
 *
 * @module
 */

import { type DevicePoint, TOLERANCE } from "./_device_points.ts";
import type { Spread } from "./harness.ts";

const ROW = 18, LEFT = 400, WIDTH = 900, TOP = 56;
/** The axis: off by this much at its ends; what is further stands at the end. */
const SPAN = 0.4;

const STYLE = `
  svg { --ground: #fff; --ink: #1d1f23; --quiet: #646a73; --band: #e4e6ea; --met: #178763;
    --missed: #d1561b; background: var(--ground); font: 12px system-ui, sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #14161a; --ink: #eceef1; --quiet: #a0a7b1; --band: #2d3138; --met: #4cc497;
      --missed: #f08a4b; }
  }
  text { fill: var(--ink); } .quiet { fill: var(--quiet); } .band { fill: var(--band); }
  .met { fill: var(--met); } .missed { fill: var(--missed); }
  .held { fill: var(--ground); stroke: var(--quiet); stroke-width: 1.5; }
  line { stroke: var(--quiet); }
`;

function x(off: number): number {
  const clipped = Math.max(-SPAN, Math.min(SPAN, off));
  return LEFT + (WIDTH - LEFT - 20) * (clipped + SPAN) / (2 * SPAN);
}

/** Draws all points; a ring is a point held out of the fit, which is not judged. */
export function drawAgreement(shown: readonly { point: DevicePoint; ours: Spread }[]): string {
  const height = TOP + ROW * shown.length + 16;
  const ticks = [-0.3, -0.15, 0, 0.15, 0.3].map((off) => {
    const label = `${off > 0 ? "+" : ""}${Math.round(100 * off)} %`;
    return `<line x1="${x(off)}" x2="${x(off)}" y1="${TOP - 8}" y2="${height - 12}" ` +
      `stroke-opacity="${off === 0 ? 1 : 0.3}"/>` +
      `<text class="quiet" x="${x(off)}" y="${TOP - 14}" text-anchor="middle">${label}</text>`;
  });
  const rows = shown.map(({ point, ours }, i) => drawRow(point, ours, TOP + ROW * i));
  const title = "Simulated drives against published points";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `role="img" aria-label="${title}"><style>${STYLE}</style>` +
    `<text x="12" y="20" font-size="14">${title}</text>` +
    `<text class="quiet" x="12" y="${TOP - 14}">ring: held out of the fit</text>` +
    `${ticks.join("")}${rows.join("")}</svg>\n`;
}

function drawRow(point: DevicePoint, ours: Spread, y: number): string {
  const { drive, order, op, bytes, depth, fresh, metric, published, heldOut } = point;
  const off = ours.value / published - 1;
  const tolerance = TOLERANCE[metric];
  const kind = heldOut ? "held" : Math.abs(off) <= tolerance ? "met" : "missed";
  const state = fresh ? "" : ", steady";
  const name = `${drive} ${order} ${op} ${bytes} B x ${depth}${state}: ${metric}`;
  const band = heldOut ? "" : `<rect class="band" x="${x(-tolerance)}" y="${y}" ` +
    `width="${x(tolerance) - x(-tolerance)}" height="${ROW - 6}"/>`;
  const tip = `${name}: ${ours.value.toPrecision(4)}, published ${published}`;
  return `${band}<text x="12" y="${y + 10}">${name}</text>` +
    `<circle class="${kind}" cx="${x(off)}" cy="${y + 6}" r="4"><title>${tip}</title></circle>`;
}
