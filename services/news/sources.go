package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/trellis-mesh/trellis/chassis"
	"github.com/trellis-mesh/trellis/chassis/config"
	"github.com/trellis-mesh/trellis/chassis/httpclient"
	"github.com/trellis-mesh/trellis/services/news/internal/app"
	"github.com/trellis-mesh/trellis/services/news/internal/feed"
)

// settings are the keys of this service alone.
type settings struct {
	Sources struct {
		Timeout  time.Duration `config:"timeout" default:"5s" doc:"how long each source may take"`
		Parallel int           `config:"parallel" default:"4" doc:"how many sources are asked at the same time"`
		Every    time.Duration `config:"every" default:"1h" doc:"how often all sources are asked, by one replica"`
		Feeds    []string      `config:"feeds" doc:"further feeds (RSS, Atom), each NAME=URL; their hosts must be in externals of service.yaml"`
	} `config:"sources"`
	Articles struct {
		Retention time.Duration `config:"retention" default:"720h" doc:"how long an article is kept that no source offers any more"`
		Latest    int           `config:"latest" default:"5000" doc:"how many articles are kept of each source"`
	} `config:"articles"`
}

// Validate checks what the types cannot.
func (s *settings) Validate(c *config.Check) {
	c.Must("sources.timeout", s.Sources.Timeout >= 100*time.Millisecond && s.Sources.Timeout <= time.Minute, "is no time to wait for a source", "give 100ms to 1m")
	c.Must("sources.parallel", s.Sources.Parallel >= 1 && s.Sources.Parallel <= 32, "is no number of sources to ask at once", "give 1 to 32")
	c.Must("sources.every", s.Sources.Every >= time.Minute && s.Sources.Every <= 24*time.Hour, "cannot be kept to", "give 1m to 24h")
	c.Must("articles.retention", s.Articles.Retention >= s.Sources.Every, "is shorter than sources.every", "give a longer time")
	c.Must("articles.latest", s.Articles.Latest >= 1, "leaves no article", "give 1 or more")
	_, err := s.feeds()
	c.Must("sources.feeds", err == nil, "has an entry that is no feed", fmt.Sprint(err))
}

// address is a feed of the configuration.
type address struct {
	name string
	url  *url.URL
}

// feeds are the configured feeds. Their names must differ from each other and from those of legacy.
func (s *settings) feeds() ([]address, error) {
	taken := map[string]bool{}
	for _, source := range feed.OfLegacy(nil) {
		taken[source.Name()] = true
	}
	var all []address
	for _, entry := range s.Sources.Feeds {
		name, text, _ := strings.Cut(entry, "=")
		at, err := url.Parse(text)
		switch {
		case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.User != nil:
			return nil, fmt.Errorf("write %q like bbc=https://feeds.example.com/news.xml", name)
		case name == "" || len(name) > 64 || taken[name]:
			return nil, fmt.Errorf("give %q a name of its own, of at most 64 characters", name)
		}
		taken[name] = true
		all = append(all, address{name, at})
	}
	return all, nil
}

// sources are the feeds of legacy and those of the configuration.
func sources(s *chassis.Service, legacy feed.Legacy) ([]app.Source, app.Options, error) {
	var set settings
	if err := s.Config(&set); err != nil {
		return nil, app.Options{}, err
	}
	var all []app.Source
	for _, source := range feed.OfLegacy(legacy) {
		all = append(all, source)
	}
	addresses, err := set.feeds()
	if err != nil {
		return nil, app.Options{}, err
	}
	for _, at := range addresses {
		client, err := httpclient.New(httpclient.Options{
			Name: "feed-" + at.name, URL: at.url.Scheme + "://" + at.url.Host, Timeout: set.Sources.Timeout, Attempts: 2, Concurrency: 2,
			MaxBody: feed.MaxSize, Registerer: s.Registry(), Log: s.Log(),
		})
		if err != nil {
			return nil, app.Options{}, err
		}
		all = append(all, feed.At(at.name, at.url.String(), client))
	}
	return all, app.Options{
		Timeout: set.Sources.Timeout, Parallel: set.Sources.Parallel, Every: set.Sources.Every,
		Retention: set.Articles.Retention, Latest: set.Articles.Latest, Log: s.Log(), Registry: s.Registry(),
	}, nil
}
