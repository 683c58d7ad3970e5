// Package feed reads RSS and Atom as strangers write them, and makes articles of them that nothing has to be feared of: bounded in size
// and number, without markup, with links that only lead to web pages.
//
// It trusts gofeed with the formats and nobody with the input. Beyond a size a feed is refused unread. Elements nested deeply, and
// many namespaces, are refused before gofeed sees them, as it copies the namespaces for each element: a feed of 1 MiB could
// take gigabytes. Entities that a document declares itself are never expanded.
package feed
