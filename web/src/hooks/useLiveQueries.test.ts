// SPDX-License-Identifier: Apache-2.0
import { QueryClient, QueryObserver } from '@tanstack/react-query';
import { describe, expect, it } from 'vitest';
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
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
  return { client, asked, world, observer, stop, settle };
}

describe('refreshQueries', () => {
  it('repeats the first read when a hint came while it was under way', async () => {
    const { client, asked, world, observer, stop, settle } = slowList();
    world.state = 'done';
    refreshQueries(client, ['executions']);
    refreshQueries(client, ['executions']);
    expect(asked).toHaveLength(1);
    asked[0]?.answer();
    await settle();
    expect(observer.getCurrentResult().data).toBe('running');
    expect(asked).toHaveLength(2);
    asked[1]?.answer();
    await settle();
    expect(observer.getCurrentResult().data).toBe('done');
    expect(asked).toHaveLength(2);
    stop();
  });

  it('shows answers although hints come faster', async () => {
    const { client, asked, world, observer, stop, settle } = slowList();
    asked[0]?.answer();
    await settle();
    refreshQueries(client, ['executions']);
    world.state = 'done';
    for (let hint = 0; hint < 5; hint += 1) refreshQueries(client, ['executions']);
    expect(asked).toHaveLength(2);
    asked[1]?.answer();
    await settle();
    expect(asked).toHaveLength(3);
    asked[2]?.answer();
    await settle();
    expect(observer.getCurrentResult().data).toBe('done');
    stop();
  });

  it('leaves other nouns alone', async () => {
    const { client, asked, stop, settle } = slowList();
    asked[0]?.answer();
    await settle();
    refreshQueries(client, ['devices']);
    expect(asked).toHaveLength(1);
    stop();
  });
});
