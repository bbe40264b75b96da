import { setTimeout as pause } from 'node:timers/promises';
import { v1 } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';

import { DEADLINE_S, type Operation } from './pubsub-operations.ts';

const PROJECT = 'purvey-differential';
/** How long a server that delivers on its own time may take to hand out what the other one has. */
const CATCH_UP_MS = 5000;
const NO_REPEATS = { retry: { retryCodes: [] } };

export function connect(host: string) {
  const [apiEndpoint = '', port] = host.split(':');
  const options = {
    apiEndpoint,
    port: Number(port),
    projectId: PROJECT,
    sslCreds: credentials.createInsecure(),
  };
  return {
    publisher: new v1.PublisherClient(options),
    subscriber: new v1.SubscriberClient(options),
  };
}

type Clients = ReturnType<typeof connect>;

/** A delivered message: its text tells what was published, whatever id a server gave it. */
interface Pulled {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string;
  readonly ackId: string;
}

/** What both servers must say alike. */
export type Answer = { readonly code: number } | { readonly value: unknown };

const shown = ({ text, attributes, key }: Pulled) => ({ text, attributes: { ...attributes }, key });

/** One server under a sequence of operations, with names of its own for the run. */
export function createSide({ publisher, subscriber }: Clients, run: string) {
  const project = `projects/${PROJECT}`;
  const topicNamed = (topic: number) => `${project}/topics/run-${run}-${topic}`;
  const subscriptionNamed = (id: number) => `${project}/subscriptions/run-${run}-${id}`;
  const plain = (name: string | null | undefined) => name?.replace(`run-${run}-`, '') ?? '';
  /** Delivered and not acknowledged or refused, by subscription. */
  const kept = new Map<number, Pulled[]>();
  let published = 0;

  async function pullOnce(id: number): Promise<Pulled[]> {
    const [{ receivedMessages }] = await subscriber.pull(
      { subscription: subscriptionNamed(id), maxMessages: 100, returnImmediately: true },
      NO_REPEATS,
    );
    return (receivedMessages ?? []).map(({ ackId, message }) => ({
      text: message?.data?.toString() ?? '',
      attributes: message?.attributes ?? {},
      key: message?.orderingKey ?? '',
      ackId: ackId ?? '',
    }));
  }

  /** Pulls until `wanted` have come, and once more to see that there are no others. */
  async function pullAll(id: number, wanted: number): Promise<Pulled[]> {
    const pulled = await pullOnce(id);
    const untilMs = performance.now() + CATCH_UP_MS;
    while (pulled.length < wanted && performance.now() < untilMs) {
      await pause(5);
      pulled.push(...(await pullOnce(id)));
    }
    pulled.push(...(await pullOnce(id)));
    return pulled;
  }

  /** Takes every `every`-th of the kept messages out; their ack ids. */
  function choose(id: number, every: number, stays: boolean): string[] {
    const all = (kept.get(id) ?? []).toSorted((a, b) => (a.text < b.text ? -1 : 1));
    const chosen = all.filter((_, index) => index % every === 0);
    if (!stays)
      kept.set(
        id,
        all.filter((each) => !chosen.includes(each)),
      );
    return chosen.map(({ ackId }) => ackId);
  }

  async function act(operation: Operation, wanted: number): Promise<unknown> {
    switch (operation.kind) {
      case 'create-topic':
        return plain((await publisher.createTopic({ name: topicNamed(operation.topic) }))[0].name);
      case 'delete-topic':
        return void (await publisher.deleteTopic({ topic: topicNamed(operation.topic) }));
      case 'get-topic':
        return plain((await publisher.getTopic({ topic: topicNamed(operation.topic) }))[0].name);
      case 'create-subscription': {
        const { subscription, topic, isOrdered } = operation;
        await subscriber.createSubscription({
          name: subscriptionNamed(subscription),
          topic: topicNamed(topic),
          enableMessageOrdering: isOrdered,
          ackDeadlineSeconds: DEADLINE_S,
        });
        return kept.set(subscription, []).size;
      }
      case 'delete-subscription': {
        const subscription = subscriptionNamed(operation.subscription);
        await subscriber.deleteSubscription({ subscription });
        return kept.delete(operation.subscription);
      }
      case 'get-subscription': {
        const subscription = subscriptionNamed(operation.subscription);
        const [found] = await subscriber.getSubscription({ subscription });
        return {
          name: plain(found.name),
          topic: plain(found.topic),
          deadline: found.ackDeadlineSeconds,
          isOrdered: found.enableMessageOrdering,
        };
      }
      case 'list': {
        const [topics] = await publisher.listTopics({ project });
        const [subscriptions] = await subscriber.listSubscriptions({ project });
        const ofRun = [...topics, ...subscriptions].flatMap(({ name }) =>
          name?.includes(`run-${run}-`) ? plain(name) : [],
        );
        return ofRun.toSorted();
      }
      case 'publish': {
        const messages = operation.messages.map(({ isEmpty, attributes, key }) => ({
          data: isEmpty
            ? new Uint8Array()
            : Buffer.from(`m${String(published++).padStart(4, '0')}`),
          attributes,
          orderingKey: key,
        }));
        const topic = topicNamed(operation.topic);
        const [{ messageIds }] = await publisher.publish({ topic, messages }, NO_REPEATS);
        return messageIds?.length;
      }
      case 'pull': {
        const pulled = await pullAll(operation.subscription, wanted);
        const { subscription } = operation;
        kept.set(subscription, [...(kept.get(subscription) ?? []), ...pulled]);
        return pulled;
      }
      case 'pull-none':
        return subscriber.pull(
          { subscription: subscriptionNamed(operation.subscription), maxMessages: 0 },
          NO_REPEATS,
        );
      case 'acknowledge': {
        const { subscription, every } = operation;
        const ackIds = choose(subscription, every, false);
        if (ackIds.length === 0) return 0;
        await subscriber.acknowledge({ subscription: subscriptionNamed(subscription), ackIds });
        return ackIds.length;
      }
      case 'modify': {
        const { subscription, every, ackDeadlineSeconds } = operation;
        const ackIds = choose(subscription, every, ackDeadlineSeconds !== 0);
        if (ackIds.length === 0) return 0;
        await subscriber.modifyAckDeadline({
          subscription: subscriptionNamed(subscription),
          ackIds,
          ackDeadlineSeconds,
        });
        return ackIds.length;
      }
    }
  }

  return {
    /** @param wanted how many messages the other server had for a pull */
    async perform(operation: Operation, wanted = 0): Promise<Answer> {
      try {
        const value = await act(operation, wanted);
        return { value: operation.kind === 'pull' ? alike(value as Pulled[]) : value };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? Number(error.code) : undefined;
        if (code === undefined) throw error;
        return { code };
      }
    },
    /** Everything that a subscription still delivers, acknowledged on the way; with `isOrdered` by key. */
    async drain(id: number, isOrdered: boolean, wanted: number): Promise<Answer> {
      const all: Pulled[] = [];
      const untilMs = performance.now() + CATCH_UP_MS;
      try {
        for (;;) {
          const pulled = await pullOnce(id);
          all.push(...pulled);
          const ackIds = pulled.map(({ ackId }) => ackId);
          if (ackIds.length > 0)
            await subscriber.acknowledge({ subscription: subscriptionNamed(id), ackIds });
          else if (all.length >= wanted || performance.now() > untilMs) break;
          else await pause(5);
        }
      } catch (error) {
        return { code: error instanceof Error && 'code' in error ? Number(error.code) : -1 };
      }
      return { value: isOrdered ? inKeyOrder(all) : alike(all) };
    },
  };
}

/** The order of messages is a server's own affair. */
const alike = (pulled: readonly Pulled[]) =>
  pulled
    .map(shown)
    .map((each) => JSON.stringify(each))
    .toSorted();

/** Keys in any order, the messages of each in theirs. */
const inKeyOrder = (pulled: readonly Pulled[]) =>
  pulled
    .filter(({ key }) => key !== '')
    .toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map((each) => JSON.stringify(shown(each)))
    .concat(alike(pulled.filter(({ key }) => key === '')));
