import { endpoint } from '../../shared/runtime/endpoint.ts';
import {
  ProviderPage,
  ProviderQuery,
  searchProviders,
} from '../../shared/runtime/provider-search.ts';

export default endpoint('search-providers', {
  summary: 'Search providers by skill tags, words, region or trust',
  description:
    'All that is given must hold. With `next_cursor` set there may be more, even after a page that is not full; pass it as `cursor`. With `updated_since` the oldest change comes first.',
  query: ProviderQuery,
  reply: ProviderPage,
  errors: ['forbidden'],
  handle: ({ query }, context) => searchProviders(query, context),
});
