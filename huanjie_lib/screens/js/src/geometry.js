// Boundaries of all units: decoded once, kept as Path2D objects that serve every zoom.
// The byte layout is documented in huanjie_lib/views/geometry.py.

import polylabel from 'polylabel';

const HEADER_BYTES = 64;

// Plane coordinates are pixels of web Mercator at this zoom, from the north-west corner of the data: small
// enough numbers for Path2D's single precision to stay below a tenth of a pixel at every zoom in use.
export const PLANE_ZOOM = 16;
const PLANE_SIZE = 256 * 2 ** PLANE_ZOOM;

function planeX(lon) {
    return ((lon + 180) / 360) * PLANE_SIZE;
}

function planeY(lat) {
    return (0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI)) * PLANE_SIZE;
}

// Reads a buffer into { bounds: [west, south, east, north], units }, where a unit is a list of polygons, a
// polygon a list of rings (outer first) and a ring a flat array of lon, lat. A ring of one vertex is a point.
export function decode(view) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const header = new DataView(view.buffer, view.byteOffset, view.byteLength);
    if (String.fromCharCode(...bytes.subarray(0, 4)) !== 'HJG1') throw new Error('not an encoded geometry');
    const [unitCount, polygonCount, ringCount] = [4, 8, 12].map((at) => header.getUint32(at, true));
    const bounds = [24, 32, 40, 48].map((at) => header.getFloat64(at, true));
    const step = header.getFloat64(56, true);

    let at = HEADER_BYTES;
    const number = () => {
        let value = 0;
        let shift = 0;
        let byte;
        do {
            byte = bytes[at++];
            value |= (byte & 0x7f) << shift;
            shift += 7;
        } while (byte & 0x80);
        return value >>> 0;
    };
    const numbers = (count) => Array.from({ length: count }, number);
    const signed = () => {
        const code = number();
        return (code >>> 1) ^ -(code & 1);
    };

    const polygonsOf = numbers(unitCount);
    const ringsOf = numbers(polygonCount);
    const verticesOf = numbers(ringCount);
    let [polygon, ring, x, y] = [0, 0, 0, 0];
    const units = polygonsOf.map((polygons) =>
        Array.from({ length: polygons }, () =>
            Array.from({ length: ringsOf[polygon++] }, () => {
                const size = verticesOf[ring++];
                const spots = new Float64Array(2 * size);
                for (let k = 0; k < size; k++) {
                    x += signed();
                    y += signed();
                    spots[2 * k] = bounds[0] + x * step;
                    spots[2 * k + 1] = bounds[1] + y * step;
                }
                return spots;
            }),
        ),
    );
    if (at !== bytes.length) throw new Error(`encoded geometry: read ${at} of ${bytes.length} bytes`);
    return { bounds, units };
}

export const NOTHING = 0;
export const AREA = 1;
export const POINT = 2;

// A layer of units on the plane.
export class Shapes {
    // `corner` is the plane's origin; layers drawn together share one.
    constructor({ bounds, units }, corner = [planeX(bounds[0]), planeY(bounds[3])]) {
        this.bounds = bounds;
        this.corner = corner;
        this.count = units.length;
        this.kind = new Uint8Array(this.count);
        this.paths = new Array(this.count).fill(null);
        this.boxes = new Float32Array(4 * this.count); // left, top, right, bottom
        this.extents = new Float32Array(this.count); // side of the square that has the area of the box
        this.polygons = units.map((polygons) => polygons.map((rings) => rings.map((ring) => this.#onPlane(ring))));
        this.whole = [Infinity, Infinity, -Infinity, -Infinity]; // the box of all units
        for (let i = 0; i < this.count; i++) this.#prepare(i);

        // Drawing order: the largest first, so that an enclave lies on top of what surrounds it.
        const { extents } = this;
        this.order = Uint32Array.from(this.kind.keys()).sort((a, b) => extents[b] - extents[a] || a - b);
        this.rank = new Uint32Array(this.count);
        this.order.forEach((i, place) => (this.rank[i] = place));

        this.labels = new Array(this.count).fill(null);
        this.scratch = document.createElement('canvas').getContext('2d');
    }

    #onPlane(ring) {
        const spots = new Float32Array(ring.length);
        for (let k = 0; k < ring.length; k += 2) {
            spots[k] = planeX(ring[k]) - this.corner[0];
            spots[k + 1] = planeY(ring[k + 1]) - this.corner[1];
        }
        return spots;
    }

    #prepare(i) {
        const polygons = this.polygons[i];
        if (!polygons.length) return;
        this.kind[i] = polygons[0][0].length === 2 ? POINT : AREA;
        let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
        const path = new Path2D();
        for (const ring of polygons.flat()) {
            for (let k = 0; k < ring.length; k += 2) {
                const x = ring[k];
                const y = ring[k + 1];
                if (k) path.lineTo(x, y);
                else path.moveTo(x, y);
                left = Math.min(left, x);
                right = Math.max(right, x);
                top = Math.min(top, y);
                bottom = Math.max(bottom, y);
            }
            path.closePath();
        }
        this.boxes.set([left, top, right, bottom], 4 * i);
        this.extents[i] = Math.sqrt((right - left) * (bottom - top));
        this.whole = [
            Math.min(this.whole[0], left),
            Math.min(this.whole[1], top),
            Math.max(this.whole[2], right),
            Math.max(this.whole[3], bottom),
        ];
        this.paths[i] = path;
    }

    // Pixels of the whole world at PLANE_ZOOM, as Leaflet counts them.
    toWorld(x, y) {
        return [x + this.corner[0], y + this.corner[1]];
    }

    box(i) {
        return this.boxes.subarray(4 * i, 4 * i + 4);
    }

    // Units, of one kind if given, whose box meets a box; in drawing order.
    within([left, top, right, bottom], kind = undefined) {
        const boxes = this.boxes;
        const found = [];
        for (const i of this.order) {
            const b = 4 * i;
            if (
                (kind === undefined ? this.kind[i] !== NOTHING : this.kind[i] === kind) &&
                boxes[b] <= right &&
                boxes[b + 2] >= left &&
                boxes[b + 1] <= bottom &&
                boxes[b + 3] >= top
            ) {
                found.push(i);
            }
        }
        return found;
    }

    // The topmost unit at a place, or -1. Markers, of radius `reach`, lie above areas.
    at(x, y, reach) {
        const near = this.within([x - reach, y - reach, x + reach, y + reach], POINT).reverse();
        const marker = near.find((i) => Math.hypot(this.boxes[4 * i] - x, this.boxes[4 * i + 1] - y) <= reach);
        if (marker !== undefined) return marker;
        const under = this.within([x, y, x, y], AREA).reverse();
        return under.find((i) => this.scratch.isPointInPath(this.paths[i], x, y, 'evenodd')) ?? -1;
    }

    // Areas that may lie on top of an area: those whose box is inside its box.
    enclosed(i) {
        this.enclaves ??= this.#enclaves();
        return this.enclaves[i];
    }

    #enclaves() {
        const { boxes, rank } = this;
        const areas = this.order.filter((i) => this.kind[i] === AREA);
        const enclaves = new Array(this.count).fill(NONE);
        if (!areas.length) return enclaves;

        // A grid of the areas' top left corners.
        const cell = Math.max(2 * this.extents[areas[areas.length >> 1]], 1e-3);
        const [west, north, east] = this.whole;
        const columns = Math.floor((east - west) / cell) + 1;
        const column = (x) => Math.floor((x - west) / cell);
        const row = (y) => Math.floor((y - north) / cell);
        const cells = new Map();
        for (const i of areas) {
            const key = row(boxes[4 * i + 1]) * columns + column(boxes[4 * i]);
            if (!cells.has(key)) cells.set(key, []);
            cells.get(key).push(i);
        }
        for (const i of areas) {
            const [left, top, right, bottom] = this.box(i);
            const found = [];
            for (let r = row(top); r <= row(bottom); r++) {
                for (let c = column(left); c <= column(right); c++) {
                    for (const other of cells.get(r * columns + c) ?? NONE) {
                        const b = 4 * other;
                        if (
                            rank[other] > rank[i] &&
                            boxes[b] >= left &&
                            boxes[b + 1] >= top &&
                            boxes[b + 2] <= right &&
                            boxes[b + 3] <= bottom
                        ) {
                            found.push(other);
                        }
                    }
                }
            }
            if (found.length) enclaves[i] = found;
        }
        return enclaves;
    }

    // Centre and radius of a circle that fits inside a unit's largest polygon; worked out when first needed.
    label(i) {
        if (!this.labels[i]) {
            const sizes = this.polygons[i].map(([outer]) => Math.abs(area(outer)));
            const rings = this.polygons[i][sizes.indexOf(Math.max(...sizes))];
            const spot = polylabel(rings.map(pairs), Math.max(this.extents[i] / 50, 1e-3));
            this.labels[i] = { x: spot[0], y: spot[1], radius: spot.distance };
        }
        return this.labels[i];
    }
}

const NONE = Object.freeze([]);

function pairs(ring) {
    return Array.from({ length: ring.length / 2 }, (_, k) => [ring[2 * k], ring[2 * k + 1]]);
}

function area(ring) {
    let twice = 0;
    for (let k = 0, last = ring.length - 2; k < ring.length; last = k, k += 2) {
        twice += ring[last] * ring[k + 1] - ring[k] * ring[last + 1];
    }
    return twice / 2;
}
