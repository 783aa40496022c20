// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHintHandler } from '@/hooks/useLiveQueries';
import { createEventParser, readTopic } from './live';

function parse(...chunks: string[]): string[] {
  const data: string[] = [];
  const feed = createEventParser((text) => data.push(text));
  for (const chunk of chunks) feed(chunk);
  return data;
}

describe('event stream', () => {
  it('reads events and skips comments', () => {
    expect(parse(': beat\n\ndata: {"topic":"tasks"}\n\n: beat\n\n')).toEqual(['{"topic":"tasks"}']);
  });

  it('joins what arrives in pieces', () => {
    expect(parse('da', 'ta: a', 'b\n', '\ndata: c\n\nda')).toEqual(['ab', 'c']);
  });

  it('takes each line ending, and several data lines', () => {
    expect(parse('data: a\r\ndata: b\r\n\r\n')).toEqual(['a\nb']);
    expect(parse('data:a\r', '\n\r\n')).toEqual(['a']);
  });

  it('knows only the topics of the contract', () => {
    expect(readTopic('{"topic":"detections","revision":12}')).toBe('detections');
    expect(readTopic('{"topic":"__proto__"}')).toBeNull();
    expect(readTopic('nonsense')).toBeNull();
    expect(readTopic('null')).toBeNull();
  });
});

describe('hints', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('refreshes at once, then gathers', () => {
    const refresh = vi.fn();
    const { hint, stop } = createHintHandler(refresh);
    hint('detections');
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(refresh.mock.calls[0]?.[0]).toContain('detections');
    hint('detections');
    hint('detections');
    expect(refresh).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(700);
    expect(refresh).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(5_000);
    expect(refresh).toHaveBeenCalledTimes(2);
    stop();
  });
});
