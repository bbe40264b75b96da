import { afterEach, describe, expect, it } from 'vitest';

import { parseFilter } from '../../../local/pubsub/filter.ts';
import { type PubsubTest, startWithTopics, SUBSCRIPTION } from './support.ts';

describe('a filter', () => {
  const BID = { event_type: 'bid.made', region: 'eu' };
  it.each([
    ['attributes.event_type = "bid.made"', true],
    ['attributes.event_type="bid.lost"', false],
    ['attributes.event_type != "bid.lost"', true],
    ['attributes.absent != "x"', true],
    ['attributes:region', true],
    ['attributes:absent', false],
    ['hasPrefix(attributes.event_type, "bid.")', true],
    ['hasPrefix(attributes.event_type, "rfq.")', false],
    ['hasPrefix(attributes.absent, "")', false],
    ['NOT attributes:region', false],
    ['-attributes:absent', true],
    ['NOT NOT attributes:region', true],
    ['attributes:region AND attributes:absent', false],
    ['attributes:region OR attributes:absent', true],
    ['attributes:absent OR (attributes:region AND NOT attributes:absent)', true],
    ['NOT (attributes:region OR attributes:absent)', false],
    ['attributes."region" = "eu"', true],
    ['attributes:"a.b/c"', false],
    [String.raw`attributes.region = "\u0065u"`, true],
    ['', true],
  ])('%s is %s', (text, expected) => {
    expect(parseFilter(text)(BID)).toBe(expected);
  });

  it.each([
    'attributes.event_type',
    'attributes.event_type = bid',
    'event_type = "bid"',
    'attributes:a AND attributes:b OR attributes:c',
    '(attributes:a',
    'attributes:a attributes:b',
    'hasPrefix(attributes.a)',
    'attributes.a = "x" AND',
    'attributes.a = "x" and attributes:b',
    'attributes.a > "x"',
    'attributes.a = "unclosed',
    `attributes.a = "${'x'.repeat(256)}"`,
  ])('%s is refused', (text) => {
    expect(() => parseFilter(text)).toThrow(/Invalid filter/);
  });
});

describe('a filtered subscription', () => {
  let test: PubsubTest;
  afterEach(() => test.stop());

  it('gets only what its filter lets through', async () => {
    test = await startWithTopics();
    await test.subscribePush({ filter: 'attributes.event_type = "wanted"' });
    await test.publish('no', { attributes: { event_type: 'other' } });
    await test.publish('yes', { attributes: { event_type: 'wanted' } });
    await test.publish('nor this');
    await test.cloud.idle();
    expect(test.texts()).toEqual(['yes']);
    expect(test.cloud.pubsub.outstanding()).toEqual([]);
  });

  it('cannot be made with a bad filter, nor change it', async () => {
    test = await startWithTopics();
    await expect(test.subscribe({ filter: 'nonsense' })).rejects.toMatchObject({ code: 3 });
    await test.subscribe({ filter: 'attributes:a' });
    const change = test.google.subscriber.updateSubscription({
      subscription: { name: SUBSCRIPTION, filter: 'attributes:b' },
      updateMask: { paths: ['filter'] },
    });
    await expect(change).rejects.toMatchObject({ code: 3 });
  });
});
