// What a page of a Relay app asks for: a connection with its fragment, and the next page of it.

import runtime from "relay-runtime";

const { graphql } = runtime;

export const Room = graphql`
  fragment Rooms_room on Room {
    id
    name
    category {
      name
    }
  }
`;

export const List = graphql`
  fragment Rooms_list on Query @refetchable(queryName: "RoomsNextQuery") @argumentDefinitions(count: { type: "Int", defaultValue: 1 }, cursor: { type: "String" }) {
    rooms(first: $count, after: $cursor) @connection(key: "Rooms_rooms") {
      edges {
        node {
          ...Rooms_room
        }
      }
    }
  }
`;

export const Page = graphql`
  query RoomsQuery {
    ...Rooms_list
  }
`;
