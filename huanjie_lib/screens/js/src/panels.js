// Legend, caption, buttons, scale bar and tooltip. Data reach the page through textContent only.

import { Control } from 'leaflet/src/control/Control.js';
import { Scale } from 'leaflet/src/control/Control.Scale.js';
import * as DomEvent from 'leaflet/src/dom/DomEvent.js';

import { CONTESTED_BIT, contrasting, dotTile, hatchTile, LEVEL_BITS, ringTile, TO_VERIFY_BIT } from './unit_layer.js';

const SVG = 'http://www.w3.org/2000/svg';

export const TEXT = {
    map: '三色预警地图：方向键平移，加减号缩放，单击选中单位，Esc 取消选中',
    zoomIn: '放大',
    zoomOut: '缩小',
    full: '全图',
    asOf: '数据截至',
    total: '合计',
    ofWhich: '其中',
    nothing: '没有可显示的边界',
};

export function el(tag, className, text = '') {
    const element = document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
}

function panel(position, content) {
    const control = new Control({ position });
    control.onAdd = () => {
        DomEvent.disableClickPropagation(content);
        DomEvent.disableScrollPropagation(content);
        return content;
    };
    return control;
}

// A square that looks as a level does on the map.
function swatch({ colour, dotted, mark }) {
    const box = el('span', 'hj-map-swatch', mark);
    box.style.backgroundColor = colour;
    box.style.color = contrasting(colour);
    return dotted ? textured(box, dotTile()) : box;
}

function hatched() {
    return textured(el('span', 'hj-map-swatch'), hatchTile());
}

function ringed() {
    return textured(el('span', 'hj-map-swatch'), ringTile());
}

function textured(box, tile) {
    box.style.backgroundImage = `url(${tile.toDataURL()})`;
    return box;
}

export class Caption {
    constructor() {
        this.element = el('div', 'hj-map-panel hj-map-caption');
        this.title = this.element.appendChild(el('div', 'hj-map-caption-title'));
        this.asOf = this.element.appendChild(el('div', 'hj-map-caption-as-of'));
        this.control = panel('topleft', this.element);
    }

    show(title, asOf) {
        this.title.textContent = title;
        this.asOf.textContent = asOf ? `${TEXT.asOf} ${asOf}` : '';
        this.element.hidden = !title && !asOf;
    }
}

export class Legend {
    // palette: in legend order, { code, label, mark, colour, dotted }.
    constructor(palette, toVerifyLabel, contestedLabel) {
        this.element = el('div', 'hj-map-panel hj-map-legend');
        this.counts = new Map();
        for (const level of palette) this.#row(level.code, swatch(level), level.label);
        this.#row('all', el('span', 'hj-map-swatch hj-map-swatch-none'), TEXT.total).classList.add('hj-map-legend-total');
        this.#row('verify', hatched(), TEXT.ofWhich + toVerifyLabel).classList.add('hj-map-legend-verify');
        this.contested = this.#row('contested', ringed(), TEXT.ofWhich + contestedLabel);
        this.control = panel('bottomright', this.element);
    }

    #row(key, box, label) {
        const row = this.element.appendChild(el('div', 'hj-map-legend-row'));
        const count = el('span', 'hj-map-legend-count');
        row.append(box, el('span', 'hj-map-legend-label', label), count);
        this.counts.set(key, count);
        return row;
    }

    show(levels) {
        const byCode = [0, 0, 0, 0];
        let toVerify = 0;
        let contested = 0;
        for (const level of levels) {
            byCode[level & LEVEL_BITS]++;
            if (level & TO_VERIFY_BIT) toVerify++;
            if (level & CONTESTED_BIT) contested++;
        }
        const say = (key, number) => (this.counts.get(key).textContent = number.toLocaleString('zh-CN'));
        byCode.forEach((number, code) => say(code, number));
        say('all', levels.length);
        say('verify', toVerify);
        say('contested', contested);
        this.contested.hidden = !contested;
    }
}

const ICONS = {
    zoomIn: 'M10 3v14M3 10h14',
    zoomOut: 'M3 10h14',
    full: 'M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4',
};

function icon(path) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 20 20');
    svg.setAttribute('aria-hidden', 'true');
    svg.appendChild(document.createElementNS(SVG, 'path')).setAttribute('d', path);
    return svg;
}

export function buttons(actions) {
    const bar = el('div', 'hj-map-panel hj-map-buttons');
    for (const [name, action] of Object.entries(actions)) {
        const button = bar.appendChild(el('button', 'hj-map-button'));
        button.type = 'button';
        button.title = TEXT[name];
        button.setAttribute('aria-label', TEXT[name]);
        button.append(icon(ICONS[name]));
        button.addEventListener('click', action);
    }
    return panel('topright', bar);
}

export const ScaleBar = Scale.extend({
    options: { position: 'bottomleft', maxWidth: 140, imperial: false },

    _updateMetric(maxMetres) {
        const metres = this._getRoundNum(maxMetres);
        const label = metres < 1000 ? `${metres} 米` : `${metres / 1000} 公里`;
        this._updateScale(this._mScale, label, metres / maxMetres);
    },
});

export class Tooltip {
    constructor(container) {
        this.container = container;
        this.element = container.appendChild(el('div', 'hj-map-tooltip'));
        this.element.hidden = true;
        this.unit = -1;
    }

    // level: an entry of the palette; toVerify, contested: the label of the mark, or '' where it does not apply.
    show({ unit, name, lines, level, toVerify, contested }) {
        this.unit = unit;
        const state = el('div', 'hj-map-tooltip-level');
        state.append(swatch(level), el('span', '', level.label));
        if (toVerify) state.append(hatched(), el('span', '', toVerify));
        if (contested) state.append(ringed(), el('span', '', contested));
        this.element.replaceChildren(
            el('div', 'hj-map-tooltip-name', name),
            state,
            ...lines.map((line) => el('div', 'hj-map-tooltip-line', line)),
        );
        this.element.hidden = false;
    }

    // Beside the pointer, on the side that has room.
    moveTo({ x, y }) {
        const { clientWidth: width, clientHeight: height } = this.container;
        const { offsetWidth: w, offsetHeight: h } = this.element;
        const left = x + 18 + w > width ? x - 18 - w : x + 18;
        const top = y + 18 + h > height ? y - 12 - h : y + 18;
        this.element.style.left = `${Math.max(4, left)}px`;
        this.element.style.top = `${Math.max(4, top)}px`;
    }

    hide() {
        this.unit = -1;
        this.element.hidden = true;
    }
}
