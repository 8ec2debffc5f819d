// The live map widget: draws the units of a city once and recolours them from one byte a unit.

import 'leaflet/dist/leaflet.css';
import './live_map.css';

import { Map as LeafletMap } from 'leaflet/src/map/index.js';

import { decode, NOTHING, PLANE_ZOOM, Shapes } from './geometry.js';
import { buttons, Caption, el, Legend, ScaleBar, TEXT, Tooltip } from './panels.js';
import { CONTESTED_BIT, LEVEL_BITS, TO_VERIFY_BIT, UnitLayer } from './unit_layer.js';

const MAX_ZOOM = 18;
const GAP = 12; // CSS pixels between the city and the edge of the map
const SMALLER = Array.from({ length: 12 }, (_, step) => step / 12); // zoom levels below the largest view, tried in turn
const REPORT_DELAY = 250; // ms without another repaint before its time goes to Python

class LiveMapView {
    constructor(model, root) {
        this.model = model;
        this.alive = true;
        this.started = false;
        this.choosing = false;

        this.frame = root.appendChild(el('div', 'hj-map'));
        this.frame.lang = 'zh-CN';
        this.surface = this.frame.appendChild(el('div', 'hj-map-surface'));
        this.surface.setAttribute('role', 'application');
        this.surface.setAttribute('aria-label', TEXT.map);
        this.map = new LeafletMap(this.surface, {
            zoomSnap: 0,
            zoomDelta: 0.5,
            wheelPxPerZoomLevel: 160,
            maxZoom: MAX_ZOOM,
        });

        this.palette = [...model.get('palette')].sort((a, b) => a.code - b.code);
        this.toVerify = model.get('to_verify_label');
        this.contested = model.get('contested_label');
        this.levels = bytes(model.get('levels'));
        this.hovers = JSON.parse(model.get('hover_text'));
        this.shapes = new Shapes(decode(model.get('geometry_buffer')));
        const outlines = model.get('outline_buffer');
        this.layer = new UnitLayer(
            this.shapes,
            outlines.byteLength ? new Shapes(decode(outlines), this.shapes.corner) : null,
            this.palette,
            this.levels,
        );
        this.caption = new Caption();
        this.legend = new Legend(model.get('palette'), this.toVerify, this.contested);
        this.tooltip = new Tooltip(this.surface);

        const showCaption = () => this.caption.show(model.get('legend_title'), model.get('as_of'));
        const setHeight = () => (this.frame.style.height = `${model.get('height')}px`);
        this.handlers = {
            'change:levels': () => this.recolour(),
            'change:hover_text': () => this.takeHovers(),
            'change:selected': () => this.takeSelection(),
            'change:legend_title': showCaption,
            'change:as_of': showCaption,
            'change:height': setHeight,
            'msg:custom': ({ show }) => Array.isArray(show) && this.started && this.show(show),
        };
        for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
        this.layer.on('recoloured', () => this.reportRepaint());
        this.surface.addEventListener('keydown', ({ key }) => {
            if (key === 'Escape') this.choose(-1);
        });

        showCaption();
        setHeight();
        this.legend.show(this.levels);
        // The frame has no size while it sits in a hidden tab: the map starts when it first gets one.
        this.resizes = new ResizeObserver(() => {
            if (!this.frame.clientWidth || !this.frame.clientHeight) return;
            if (this.started) this.resize();
            else this.start();
        });
        this.resizes.observe(this.frame);
    }

    start() {
        this.started = true;
        const { map, layer } = this;
        if (Number.isNaN(this.shapes.bounds[0])) {
            this.frame.append(el('div', 'hj-map-nothing', TEXT.nothing));
            this.tell('painted', 0);
            return;
        }
        map.addControl(this.caption.control);
        map.addControl(
            buttons({
                zoomIn: () => map.zoomIn(),
                zoomOut: () => map.zoomOut(),
                full: () => this.showAll(),
            }),
        );
        map.addControl(this.legend.control);
        map.addControl(new ScaleBar());
        this.showAll();
        map.on('movestart', () => (this.whole = this.fitting));
        map.on('moveend', () => this.noteView());
        map.on('movestart mouseout', () => this.hover(-1));
        map.on('mousemove', ({ latlng, containerPoint }) => this.hover(layer.at(latlng), containerPoint));
        map.on('click', ({ latlng }) => this.choose(layer.at(latlng)));

        this.noteView();
        layer.once('painted', ({ count }) =>
            requestAnimationFrame(() =>
                afterPaint(() => {
                    this.tell('painted', count);
                    this.shapes.enclosed(0); // found now, so that the first recolouring need not wait
                }),
            ),
        );
        map.addLayer(layer);
        this.takeSelection();
    }

    // What is in view, for whoever drives the page from outside.
    noteView() {
        const { lat, lng } = this.map.getCenter();
        this.surface.dataset.view = [lng, lat, this.map.getZoom()].join(' ');
    }

    resize() {
        this.map.invalidateSize({ animate: false });
        if (this.whole) this.showAll();
    }

    // Shows the whole city as large as it goes without a unit under the legend or another panel.
    showAll() {
        const { map } = this;
        const { offsetWidth, offsetHeight } = this.legend.element;
        const strips = [
            [GAP, GAP],
            [offsetWidth + 2 * GAP, GAP],
            [GAP, offsetHeight + 2 * GAP],
        ];
        // A view that would be less than half as large helps nobody: rather a few units under a panel.
        const least = this.fit(...strips[0]).zoom - 1;
        const views = strips.map((strip) =>
            SMALLER.map((less) => this.fit(...strip, less)).filter(({ zoom }) => zoom > least),
        );
        const clear = views.map((sizes) => sizes.find((view) => !this.covered(view))).filter(Boolean);
        const { zoom, middle } = clear.length
            ? clear.reduce((a, b) => (b.zoom > a.zoom ? b : a))
            : views.flatMap((sizes) => sizes.slice(0, 1)).reduce((a, b) => (b.zoom < a.zoom ? b : a));

        this.fitting = true;
        this.layer.fullZoom = zoom;
        map.setView(map.unproject(this.shapes.toWorld(...middle), PLANE_ZOOM), zoom, { animate: false });
        map.setMinZoom(zoom - 1);
        this.fitting = false;
        this.whole = true;
    }

    // Brings units into view together; the whole city when there are none to be seen.
    show(units) {
        const { map, shapes } = this;
        const boxes = units.filter((unit) => shapes.kind[unit] !== NOTHING).map((unit) => shapes.box(unit));
        if (!boxes.length) return this.showAll();
        const [left, top] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
        const [right, bottom] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
        const { clientWidth, clientHeight } = this.surface;
        const scale = 0.7 * Math.min(clientWidth / (right - left), clientHeight / (bottom - top)); // Infinity: a point
        const zoom = Math.min(PLANE_ZOOM + Math.log2(scale), MAX_ZOOM);
        const middle = shapes.toWorld((left + right) / 2, (top + bottom) / 2);
        map.setView(map.unproject(middle, PLANE_ZOOM), zoom);
    }

    // The view that shows the city in the frame less its gaps and a strip on the right and at the bottom, so many
    // zoom levels smaller than it could be.
    fit(right, bottom, less = 0) {
        const { clientWidth, clientHeight } = this.surface;
        const [left, top, east, south] = this.shapes.whole;
        const across = Math.max(clientWidth - GAP - right, 1) / (east - left);
        const down = Math.max(clientHeight - GAP - bottom, 1) / (south - top);
        const zoom = Math.min(PLANE_ZOOM + Math.log2(Math.min(across, down)), PLANE_ZOOM) - less;
        const scale = 2 ** (zoom - PLANE_ZOOM);
        return {
            zoom,
            scale,
            middle: [(left + east + (right - GAP) / scale) / 2, (top + south + (bottom - GAP) / scale) / 2],
        };
    }

    // Whether a panel would lie over a unit in a view.
    covered({ scale, middle: [x, y] }) {
        const frame = this.surface.getBoundingClientRect();
        const toX = (px) => x + (px - frame.left - frame.width / 2) / scale;
        const toY = (px) => y + (px - frame.top - frame.height / 2) / scale;
        return [...this.surface.querySelectorAll('.leaflet-control')].some((control) => {
            const { left, top, right, bottom } = control.getBoundingClientRect();
            return this.shapes.within([toX(left), toY(top), toX(right), toY(bottom)]).length > 0;
        });
    }

    recolour() {
        this.changedAt ??= performance.now();
        this.levels = bytes(this.model.get('levels'));
        this.layer.setLevels(this.levels);
        this.legend.show(this.levels);
        this.refreshTooltip();
    }

    // Tells Python how long the last recolouring took, once it has come to rest.
    reportRepaint() {
        const since = this.changedAt;
        this.changedAt = undefined;
        afterPaint(() => {
            const spent = performance.now() - since;
            clearTimeout(this.report);
            this.report = setTimeout(() => this.tell('repaint_ms', spent), REPORT_DELAY);
        });
    }

    takeHovers() {
        this.hovers = JSON.parse(this.model.get('hover_text'));
        this.refreshTooltip();
    }

    takeSelection() {
        const unit = this.model.get('selected');
        this.layer.highlight({ selected: unit });
        if (this.started && !this.choosing) this.reveal(unit);
    }

    // Brings a unit into view, and closer where it is too small to see.
    reveal(unit) {
        if (unit < 0 || this.shapes.kind[unit] === NOTHING) return;
        const { map, shapes } = this;
        const [left, top, right, bottom] = shapes.box(unit);
        const middle = map.unproject(shapes.toWorld((left + right) / 2, (top + bottom) / 2), PLANE_ZOOM);
        const zoom = map.getZoom();
        const size = shapes.extents[unit] * map.getZoomScale(zoom, PLANE_ZOOM);
        const closer = size > 0 && size < 24 ? Math.min(zoom + Math.log2(40 / size), MAX_ZOOM) : zoom;
        if (closer > zoom || !map.getBounds().pad(-0.1).contains(middle)) map.setView(middle, closer);
    }

    // The user has picked a unit here, or none.
    choose(unit) {
        this.choosing = true; // what was clicked is in sight: no panning
        this.tell('selected', unit);
        this.choosing = false;
    }

    hover(unit, spot) {
        this.layer.highlight({ hover: unit });
        this.surface.classList.toggle('hj-map-over-unit', unit >= 0);
        if (unit < 0) {
            this.tooltip.hide();
            return;
        }
        if (unit !== this.tooltip.unit) this.showTooltip(unit);
        this.tooltip.moveTo(spot);
    }

    showTooltip(unit) {
        const [name, ...lines] = this.hovers[unit];
        const level = this.levels[unit];
        this.tooltip.show({
            unit,
            name,
            lines,
            level: this.palette[level & LEVEL_BITS],
            toVerify: level & TO_VERIFY_BIT ? this.toVerify : '',
            contested: level & CONTESTED_BIT ? this.contested : '',
        });
    }

    refreshTooltip() {
        if (this.tooltip.unit >= 0) this.showTooltip(this.tooltip.unit);
    }

    tell(name, value) {
        if (!this.alive) return;
        this.model.set(name, value);
        this.model.save_changes();
    }

    remove() {
        this.alive = false;
        for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
        clearTimeout(this.report);
        this.resizes.disconnect();
        this.map.remove();
        this.frame.remove();
    }
}

function bytes(view) {
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

// Runs a function once the frame now being drawn is painted; to be called while drawing it.
function afterPaint(action) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
        port1.close();
        action();
    };
    port2.postMessage(null);
}

function render({ model, el: root }) {
    const view = new LiveMapView(model, root);
    return () => view.remove();
}

export default { render };
