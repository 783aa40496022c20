// SPDX-License-Identifier: Apache-2.0
import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { describe, expect, it, vi } from 'vitest';
import { refreshQueries } from './useLiveQueries';

/** A list whose answers come when the test says so; each tells what was true when it was asked. */
function slowList() {
  const client = new QueryClient();
  const asked: { answer: () => void }[] = [];
  const world = { state: 'running' };
  const observer = new QueryObserver(client, {
    queryKey: ['executions', {}],
    queryFn: () => {
      const then = world.state;
      return new Promise<string>((resolve) => asked.push({ answer: () => resolve(then) }));
    },
  });
  const stop = observer.subscribe(() => undefined);
  const shows = (text: string) => vi.waitFor(() => expect(observer.getCurrentResult()).toMatchObject({ data: text, fetchStatus: 'idle' }));
  const asks = (count: number) => vi.waitFor(() => expect(asked).toHaveLength(count));
  return { client, asked, world, stop, shows, asks };
}

describe('refreshQueries', () => {
  it('repeats the first read when a hint came while it was under way', async () => {
    const { client, asked, world, stop, shows, asks } = slowList();
    world.state = 'done';
    refreshQueries(client, ['executions']);
    refreshQueries(client, ['executions']);
    expect(asked).toHaveLength(1);
    asked[0]?.answer();
    await asks(2);
    asked[1]?.answer();
    await shows('done');
    expect(asked).toHaveLength(2);
    stop();
  });

  it('shows answers although hints come faster', async () => {
    const { client, asked, world, stop, shows, asks } = slowList();
    asked[0]?.answer();
    await shows('running');
    refreshQueries(client, ['executions']);
    world.state = 'done';
    for (let hint = 0; hint < 5; hint += 1) refreshQueries(client, ['executions']);
    expect(asked).toHaveLength(2);
    asked[1]?.answer();
    await asks(3);
    asked[2]?.answer();
    await shows('done');
    expect(asked).toHaveLength(3);
    stop();
  });

  it('leaves other nouns alone', async () => {
    const { client, asked, stop, shows } = slowList();
    asked[0]?.answer();
    await shows('running');
    refreshQueries(client, ['devices']);
    expect(asked).toHaveLength(1);
    stop();
  });
});
