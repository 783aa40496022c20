// SPDX-License-Identifier: Apache-2.0
// The console's table: fixed column widths, one line per row, sortable headers, tick boxes, one row shown in the side panel.
// When rows change under a scrolled reader (live updates), the row at the top stays where it is.
import { useLayoutEffect, useRef, type MouseEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Selection } from '@/hooks/useSelection';
import { SortDownIcon, SortUpIcon } from './icons';
import { Skeleton } from './pf';

export interface Column<Row> {
  key: string;
  title: string;
  /** Pixels; the column with `grow` takes what is left. */
  width: number;
  grow?: boolean;
  sortable?: boolean;
  /** First direction when this column begins to sort. */
  descendingFirst?: boolean;
  numeric?: boolean;
  /** Hidden title: for a column of buttons. */
  quiet?: boolean;
  cell: (row: Row) => ReactNode;
}

export interface Sorting {
  column: string;
  direction: 'asc' | 'desc';
  onSort: (column: string, direction: 'asc' | 'desc') => void;
}

interface Props<Row extends { id: string }> {
  caption: string;
  columns: readonly Column<Row>[];
  /** undefined: still loading, skeleton rows are shown. */
  rows: readonly Row[] | undefined;
  rowName: (row: Row) => string;
  sorting?: Sorting;
  selection?: Selection<Row>;
  shown?: string;
  onShow?: (row: Row) => void;
  fresh?: ReadonlySet<string>;
  /** Shown under the header instead of rows. */
  empty?: ReactNode;
  /** Grows with its rows instead of scrolling by itself. */
  natural?: boolean;
}

const TICK_WIDTH = 40;
const SKELETON_ROWS = 12;

export function DataTable<Row extends { id: string }>(props: Props<Row>) {
  const { columns, rows, selection, natural } = props;
  const scroller = useRef<HTMLDivElement>(null);
  useSteadyScroll(scroller, rows);
  const least = columns.reduce((sum, column) => sum + column.width, selection ? TICK_WIDTH : 0);

  return (
    <div className={natural ? 'sk-table-frame sk-natural' : 'sk-table-frame'} ref={scroller} tabIndex={natural ? undefined : 0} role="region" aria-label={props.caption}>
      <table className="sk-table" style={{ minWidth: least }} aria-busy={rows === undefined}>
        <caption className="sk-hidden">{props.caption}</caption>
        <colgroup>
          {selection && <col style={{ width: TICK_WIDTH }} />}
          {columns.map((column) => (
            <col key={column.key} style={column.grow ? undefined : { width: column.width }} />
          ))}
        </colgroup>
        <Head {...props} />
        <tbody>
          {rows === undefined
            ? Array.from({ length: SKELETON_ROWS }, (_, index) => (
                <SkeletonRow key={index} columns={columns.length + (selection ? 1 : 0)} />
              ))
            : rows.map((row) => <Row key={row.id} row={row} {...props} />)}
        </tbody>
      </table>
      {rows?.length === 0 && props.empty}
    </div>
  );
}

function Head<Row extends { id: string }>({ columns, rows, sorting, selection }: Props<Row>) {
  const { t } = useTranslation();
  const ticked = rows?.filter((row) => selection?.has(row.id)).length ?? 0;
  const all = rows !== undefined && rows.length > 0 && ticked === rows.length;
  return (
    <thead>
      <tr>
        {selection && (
          <th scope="col" className="sk-tick">
            <input
              type="checkbox"
              aria-label={t('table.selectPage')}
              checked={all}
              disabled={!rows?.length}
              ref={(box) => {
                if (box) box.indeterminate = ticked > 0 && !all;
              }}
              onChange={(event) => selection.toggle(rows ?? [], event.target.checked)}
            />
          </th>
        )}
        {columns.map((column) => {
          const active = sorting?.column === column.key;
          const className = column.numeric ? 'sk-numeric' : undefined;
          if (!sorting || !column.sortable) {
            return (
              <th key={column.key} scope="col" className={className}>
                <span className={column.quiet ? 'sk-hidden' : undefined}>{column.title}</span>
              </th>
            );
          }
          const first = column.descendingFirst ? 'desc' : 'asc';
          const other = sorting.direction === 'asc' ? 'desc' : 'asc';
          return (
            <th
              key={column.key}
              scope="col"
              className={className}
              aria-sort={active ? (sorting.direction === 'asc' ? 'ascending' : 'descending') : 'none'}
            >
              <button type="button" className="sk-sort" onClick={() => sorting.onSort(column.key, active ? other : first)}>
                <span>{column.title}</span>
                {active && (sorting.direction === 'asc' ? <SortUpIcon /> : <SortDownIcon />)}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function Row<Row extends { id: string }>({ row, columns, rowName, selection, shown, onShow, fresh }: Props<Row> & { row: Row }) {
  const { t } = useTranslation();
  const ticked = selection?.has(row.id) ?? false;
  const classes = [ticked && 'sk-ticked', shown === row.id && 'sk-shown', fresh?.has(row.id) && 'sk-fresh', onShow && 'sk-clickable'];
  const open = (event: MouseEvent<HTMLElement>) => {
    // The name in the row is the keyboard's way in; a click anywhere else in the row is the mouse's short cut.
    const target = event.target as HTMLElement;
    if (target.closest('a, button, input, label') || window.getSelection()?.toString()) return;
    onShow?.(row);
  };
  return (
    <tr className={classes.filter(Boolean).join(' ') || undefined} aria-current={shown === row.id || undefined} data-row={row.id} onClick={onShow && open}>
      {selection && (
        <td className="sk-tick">
          <input
            type="checkbox"
            aria-label={t('table.selectRow', { name: rowName(row) })}
            checked={ticked}
            onChange={(event) => selection.toggle([row], event.target.checked)}
          />
        </td>
      )}
      {columns.map((column, index) =>
        index === 0 ? (
          <th key={column.key} scope="row" className={column.numeric ? 'sk-numeric' : undefined}>
            {column.cell(row)}
          </th>
        ) : (
          <td key={column.key} className={column.numeric ? 'sk-numeric' : undefined}>
            {column.cell(row)}
          </td>
        ),
      )}
    </tr>
  );
}

function SkeletonRow({ columns }: { columns: number }) {
  return (
    <tr aria-hidden="true">
      {Array.from({ length: columns }, (_, index) => (
        <td key={index}>
          <Skeleton height="10px" />
        </td>
      ))}
    </tr>
  );
}

/** Remembers which row is at the top edge and puts it back there after the rows changed. */
function useSteadyScroll(scroller: React.RefObject<HTMLDivElement | null>, rows: readonly { id: string }[] | undefined) {
  const anchor = useRef<{ id: string; top: number } | null>(null);
  useLayoutEffect(() => {
    const frame = scroller.current;
    if (!frame) return;
    const note = () => {
      anchor.current = null;
      if (frame.scrollTop === 0) return; // a reader at the top wants to see what is new
      const edge = frame.getBoundingClientRect().top + (frame.querySelector('thead')?.clientHeight ?? 0);
      for (const row of frame.querySelectorAll<HTMLElement>('tbody tr[data-row]')) {
        const box = row.getBoundingClientRect();
        if (box.bottom <= edge) continue;
        anchor.current = { id: row.dataset.row ?? '', top: box.top };
        return;
      }
    };
    frame.addEventListener('scroll', note, { passive: true });
    return () => frame.removeEventListener('scroll', note);
  }, [scroller]);
  useLayoutEffect(() => {
    const frame = scroller.current;
    const kept = anchor.current;
    if (!frame || !kept) return;
    const row = frame.querySelector(`tr[data-row="${CSS.escape(kept.id)}"]`);
    if (row) frame.scrollTop += row.getBoundingClientRect().top - kept.top;
  }, [rows, scroller]);
}
