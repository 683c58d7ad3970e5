package apiversion

import (
	"mime"
	"strconv"
	"strings"
)

// preference is one media range of an Accept header.
type preference struct {
	media   string  // application/json, application/*, */*
	quality float64 // 0 to 1; 0 is a refusal
}

// preferences reads Accept (RFC 9110, section 12.5.1). What cannot be read says nothing. Parameters other than q would make a range
// one of another media type than ours, but for the one that JSON is often given, charset.
func preferences(accept []string) []preference {
	var all []preference
	for _, header := range accept {
		for text := range strings.SplitSeq(header, ",") {
			media, parameters, err := mime.ParseMediaType(text)
			if err != nil {
				continue
			}
			p := preference{media: media, quality: 1}
			for name, value := range parameters {
				switch name {
				case "q":
					if p.quality, err = strconv.ParseFloat(value, 64); err != nil || !(p.quality >= 0 && p.quality <= 1) { // NaN is neither
						p.quality = 0
					}
				case "charset":
				default:
					p.media = ""
				}
			}
			if p.media != "" {
				all = append(all, p)
			}
		}
	}
	return all
}

// quality is how welcome a media type is, by the most specific range that it is in.
func quality(all []preference, media string) (best float64) {
	rank := 0
	for _, p := range all {
		specific := 0
		switch p.media {
		case media:
			specific = 3
		case "application/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific > rank || specific > 0 && specific == rank && p.quality > best {
			rank, best = specific, p.quality
		}
	}
	return best
}

// negotiate chooses what Accept welcomes most: a media type of a version by its name, or JSON, which is of the version named otherwise,
// else of the default. number is the version named otherwise, 0 for none; then only media types of that one will do. Of two
// that are equally welcome the newer version goes before the older one, and plain JSON last.
func (v *Versions) negotiate(accept []string, number int) (chosen *version, mediaType string, ok bool) {
	plain := v.known[number]
	if plain == nil {
		plain = v.known[v.fallback]
	}
	all := preferences(accept)
	ours := false
	best := 0.0
	for _, n := range v.numbers {
		one := v.known[n]
		for _, p := range all {
			if p.media == one.mediaType && p.quality > best && (number == 0 || number == n) {
				chosen, mediaType, best = one, one.mediaType, p.quality
			}
		}
	}
	for _, p := range all {
		ours = ours || v.vendor.MatchString(p.media)
	}
	if !ours {
		return plain, plainJSON, true
	}
	if q := quality(all, plainJSON); q > best {
		return plain, plainJSON, true
	}
	return chosen, mediaType, chosen != nil
}
