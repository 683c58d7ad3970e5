package feed

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html/charset"

	"github.com/trellis-mesh/trellis/services/news/internal/domain"
)

// MaxSize is how many bytes a feed may have.
const MaxSize = 1 << 20

// What a feed and its articles may have at most. Longer texts are cut, articles with longer links are left out.
const (
	maxItems   = 200
	maxDepth   = 32
	maxSpaces  = 256 // declarations of namespaces
	maxTitle   = 300 // characters
	maxSummary = 1000
	maxLink    = 2048 // bytes
)

var (
	errLarge    = &domain.Fault{Reason: "the feed is larger than 1 MiB"}
	errNoFeed   = errors.New("it is neither RSS nor Atom")
	errTooDeep  = fmt.Errorf("elements are nested deeper than %d", maxDepth)
	errTooNamed = fmt.Errorf("more than %d namespaces are declared", maxSpaces)
)

// Parse gives the articles of a feed, each once, at most 200. Those without a title and text, or without a link to a web page, are
// left out. One without a date has the given time, and so has one from the future. An error is a *domain.Fault.
func Parse(source string, raw []byte, at time.Time) (articles []domain.Article, err error) {
	if len(raw) > MaxSize {
		return nil, errLarge
	}
	defer func() {
		if cause := recover(); cause != nil { // of gofeed: whatever a stranger writes must not end the service
			articles, err = nil, unreadable(fmt.Errorf("panic: %v", cause))
		}
	}()
	raw = legal(raw)
	if err := harmless(raw); err != nil {
		return nil, unreadable(err)
	}
	parsed, err := gofeed.NewParser().Parse(bytes.NewReader(raw))
	if err != nil {
		return nil, unreadable(err)
	}
	if parsed.FeedType == "json" {
		return nil, unreadable(errNoFeed)
	}
	known := map[string]bool{}
	for _, item := range parsed.Items {
		article, ok := articleOf(source, item, at)
		if !ok || known[article.ID] {
			continue
		}
		if known[article.ID] = true; len(articles) == maxItems {
			break
		}
		articles = append(articles, article)
	}
	return articles, nil
}

func unreadable(err error) error { return &domain.Fault{Reason: "the feed cannot be read", Err: err} }

// legal leaves out the control characters that XML forbids, as gofeed does: what is checked must be what is parsed.
func legal(raw []byte) []byte {
	kept := make([]byte, 0, len(raw))
	for _, b := range raw { // bytes, not characters: nobody has looked at the encoding yet
		if b >= ' ' || b == '\t' || b == '\n' || b == '\r' {
			kept = append(kept, b)
		}
	}
	return kept
}

// harmless reads the document as gofeed does, without keeping anything, and tells whether it is a feed that can be parsed at a cost in
// proportion to its size.
func harmless(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.Strict, d.CharsetReader = false, charset.NewReaderLabel
	depth, spaces, root := 0, 0, ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && root != "" {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = strings.ToLower(t.Name.Local)
			}
			for _, a := range t.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
					spaces++
				}
			}
			depth++
		case xml.EndElement:
			depth--
		}
		switch {
		case root != "" && root != "rss" && root != "rdf" && root != "feed":
			return errNoFeed
		case depth > maxDepth:
			return errTooDeep
		case spaces > maxSpaces:
			return errTooNamed
		}
	}
}

// articleOf makes an article of what a feed has, if it has what an article needs.
func articleOf(source string, item *gofeed.Item, at time.Time) (domain.Article, bool) {
	link, ok := webLink(item.Link)
	if !ok {
		return domain.Article{}, false
	}
	title, summary := plain(item.Title, maxTitle), plain(item.Description, maxSummary)
	if summary == "" {
		summary = plain(item.Content, maxSummary)
	}
	if title == "" {
		title = shorten(summary, maxTitle)
	}
	key := strings.TrimSpace(item.GUID)
	if key == "" {
		key = link
	}
	article := domain.Article{
		ID: domain.ID(source, key), Source: source, Title: title, Link: link, Summary: summary, PublishedAt: published(item, at),
	}
	return article, title != ""
}

// webLink gives a link if it leads to a web page: no script, no file, no name and password.
func webLink(text string) (string, bool) {
	text = strings.TrimSpace(text)
	link, err := url.Parse(text)
	if err != nil || link.Scheme != "http" && link.Scheme != "https" || link.Host == "" || link.User != nil {
		return "", false
	}
	text = link.String()
	return text, len(text) <= maxLink
}

// published is when the feed says that the article came out, in the precision of a database.
func published(item *gofeed.Item, at time.Time) time.Time {
	said := item.PublishedParsed
	if said == nil {
		said = item.UpdatedParsed
	}
	if said == nil || said.After(at) {
		return at.UTC().Truncate(time.Microsecond)
	}
	if epoch := time.Unix(0, 0).UTC(); said.Before(epoch) {
		return epoch
	}
	return said.UTC().Truncate(time.Microsecond)
}
