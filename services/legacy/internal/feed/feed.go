// Package feed stands for newspapers on the web: three feeds of news, RSS 2.0 (https://www.rssboard.org/rss-specification), which
// are the same on every day and in every replica. An article that two papers print has the same guid in both.
package feed

import (
	"encoding/xml"
	"fmt"
	"time"
)

// article is a piece of news.
type article struct {
	guid, title, summary string
	age                  time.Duration // when the feeds were made
}

// made is when the feeds were made. Their dates are fixed, so that whoever reads them twice finds nothing new.
var made = time.Date(2026, time.November, 20, 18, 0, 0, 0, time.UTC)

// shared is printed by two papers.
var shared = article{
	guid: "news-0001", title: "Shops & workshops agree on longer opening hours",
	summary: `From spring on, shops <em>may</em> stay open until nine, said the guild's chairwoman: "Nobody has to."`, age: 3 * time.Hour,
}

var papers = map[string]struct {
	title, about string
	articles     []article
}{
	"shop": {"The Shop Window", "What is new in the shop", []article{
		{"shop-0105", "Lamps that dim with the sun", "A new lamp follows the daylight; it needs no switch.", time.Hour},
		shared,
		{"shop-0104", `The "unbreakable" cup: we dropped it 1 < 2 < 100 times`, "It broke at the ninety-third fall.", 26 * time.Hour},
		{"shop-0103", "Wool from Bergen is back", "The first delivery since summer has arrived.", 50 * time.Hour},
		{"shop-0102", "Crème, sand & slate: the colours of the year", "Three colours that go with each other.", 75 * time.Hour},
		{"shop-0101", "How to oil a chopping board", "Twice a year, with linseed oil, along the grain.", 120 * time.Hour},
	}},
	"trade": {"Trade & Craft", "The guild's weekly paper", []article{
		shared,
		{"trade-0204", "Cork prices fall for the third month", "A good harvest in the south brings prices down by 4 %.", 8 * time.Hour},
		{"trade-0203", "Gdańsk opens a second timber quay", "Ships of up to 300 m can unload there.", 31 * time.Hour},
		{"trade-0202", "Apprentices wanted: glass, paper, leather", "Every fourth place is free.", 56 * time.Hour},
		{"trade-0201", "What the new customs form asks for", "Fields 12 to 17 are new; field 9 is gone.", 101 * time.Hour},
	}},
	"city": {"City Post", "From the town hall and the streets", []article{
		{"city-0304", "Tram line 7 runs again", "The bridge is open, two weeks before it was promised.", 2 * time.Hour},
		{"city-0303", "Market square gets 40 trees", "Limes & maples, planted before the frost.", 20 * time.Hour},
		{"city-0302", "Night of the open workshops", "Sixty workshops open their doors until midnight.", 44 * time.Hour},
		{"city-0301", `"Mind the cobbles": a short history of Baker's Lane`, "It was paved in 1786, and it shows.", 98 * time.Hour},
	}},
}

type rss struct {
	XMLName xml.Name `xml:"rss"`
	Version string   `xml:"version,attr"`
	Channel channel  `xml:"channel"`
}

type channel struct {
	Title       string `xml:"title"`
	Link        string `xml:"link"`
	Description string `xml:"description"`
	Language    string `xml:"language"`
	Built       string `xml:"lastBuildDate"`
	Items       []item `xml:"item"`
}

type item struct {
	Title     string `xml:"title"`
	Link      string `xml:"link"`
	Summary   string `xml:"description"`
	GUID      guid   `xml:"guid"`
	Published string `xml:"pubDate"`
}

type guid struct {
	Permanent bool   `xml:"isPermaLink,attr"`
	Text      string `xml:",chardata"`
}

// Named gives the text of a feed, and whether there is one of this name.
func Named(name string) (text []byte, known bool, err error) {
	paper, known := papers[name]
	if !known {
		return nil, false, nil
	}
	site := "https://" + name + ".example/"
	feed := rss{Version: "2.0", Channel: channel{
		Title: paper.title, Link: site, Description: paper.about, Language: "en", Built: made.Format(time.RFC1123Z),
	}}
	for _, a := range paper.articles {
		feed.Channel.Items = append(feed.Channel.Items, item{
			Title: a.title, Link: site + a.guid, Summary: a.summary, GUID: guid{Text: a.guid}, Published: made.Add(-a.age).Format(time.RFC1123Z),
		})
	}
	body, err := xml.MarshalIndent(feed, "", "  ")
	if err != nil {
		return nil, true, fmt.Errorf("write the feed %s: %w", name, err)
	}
	return append([]byte(xml.Header), body...), true, nil
}
