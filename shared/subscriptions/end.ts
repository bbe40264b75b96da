import { notFound } from '../errors.ts';
import { withoutSubscription } from '../matching/compose.ts';
import { matches } from '../matching/schema.ts';
import { ref } from '../store/collection.ts';
import { type Command, type Decision, type Docs, set } from '../store/decision.ts';
import { subscriptions } from './schema.ts';
import { type SubscriptionView, subscriptionView } from './view.ts';

export interface EndSubscriptionCommand extends Command {
  readonly subscription_id: string;
  /** Whose it must be: another's answers as if it were absent. */
  readonly provider_id: string;
  /** CANCELLED by its provider, or DISABLED because its webhook answered 410 Gone. */
  readonly as: 'CANCELLED' | 'DISABLED';
}

export const endSubscriptionRefs = ({
  subscription_id,
  provider_id,
}: Pick<EndSubscriptionCommand, 'subscription_id' | 'provider_id'>) => ({
  subscription: ref(subscriptions, subscription_id),
  match: ref(matches, provider_id),
});

/**
 * Ends a subscription; nothing matches it from the same commit on. One that has ended stays as it is.
 *
 * @throws {AppError} `not_found`
 */
export function endSubscription(
  { subscription, match }: Docs<ReturnType<typeof endSubscriptionRefs>>,
  command: EndSubscriptionCommand,
): Decision<SubscriptionView> {
  if (!subscription || !match || subscription.provider_id !== command.provider_id)
    throw notFound('subscription');
  if (subscription.status !== 'ACTIVE')
    return { writes: [], reply: subscriptionView(subscription) };
  const { subscription_id, provider_id } = subscription;
  const next = {
    ...subscription,
    status: command.as,
    updated_at: command.at.toISOString(),
    version: subscription.version + 1,
  };
  return {
    writes: [
      set(ref(subscriptions, subscription_id), next),
      set(ref(matches, provider_id), withoutSubscription(match, subscription_id, command.at)),
    ],
    events: [
      {
        topic: 'aex-provider-events',
        type: `subscription.${command.as.toLowerCase()}`,
        subject: ref(subscriptions, subscription_id).path,
        version: next.version,
        fields: {
          subscription_id,
          provider_id,
          categories: subscription.categories,
          ended_at: next.updated_at,
        },
      },
    ],
    reply: subscriptionView(next),
  };
}
