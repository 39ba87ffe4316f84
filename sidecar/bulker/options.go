package bulker

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	// defaultRequestTimeout is how long the answer may take after the last row: Bulker answers only when the warehouse has merged the load.
	defaultRequestTimeout = time.Hour
	// defaultLiveFor ends a request before Bulker's read timeout of 30 minutes does (bulkerapp/app/app.go), which progress does not extend.
	defaultLiveFor = 25 * time.Minute
	// defaultStallTimeout is how long Bulker may take no bytes while there are some.
	defaultStallTimeout = 10 * time.Minute
	// defaultSettleFor is a little more than the 5 seconds after which Bulker reads its configuration again (bulkerapp/app/app_config.go).
	defaultSettleFor = 6 * time.Second
)

// Options say where Bulker is and for whom rows are loaded.
type Options struct {
	URL           string // of Bulker, e.g. http://bulker:3042 (BULKER_URL)
	Token         string // secret; empty when Bulker asks for none (BULKER_AUTH_TOKEN)
	DestinationID string // Bulker's name of the destination: the sync's id for rows, LOGS_CONNECTION_ID for logs
	TaskID        string // of this run
	SyncID        string
	// Deduplicate merges rows by the primary key of a table. Without it every row is kept, and after a load whose outcome is unknown rows may be there
	// twice.
	Deduplicate bool
	// RequestTimeout is how long the answer may take after the last row; 0 is 1 hour.
	RequestTimeout time.Duration
	// StallTimeout is how long Bulker may refuse to take bytes; 0 is 10 minutes.
	StallTimeout time.Duration
	// SettleFor is how long a failure that passes within seconds or never does not count as Permanent: a destination that Bulker does not know, which
	// may be new; a table that changed under a load. 0 is 6 seconds.
	SettleFor time.Duration
	// LiveFor is how long a load may stay open while rows are added; 0 is 25 minutes.
	LiveFor time.Duration
}

// String leaves the token out.
func (o Options) String() string {
	return fmt.Sprintf("{URL:%s DestinationID:%s TaskID:%s SyncID:%s}", host(o.URL), o.DestinationID, o.TaskID, o.SyncID)
}

// GoString is String: %#v shows no token either.
func (o Options) GoString() string { return o.String() }

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value  *time.Duration
		preset time.Duration
	}{
		{&o.RequestTimeout, defaultRequestTimeout},
		{&o.StallTimeout, defaultStallTimeout},
		{&o.SettleFor, defaultSettleFor},
		{&o.LiveFor, defaultLiveFor},
	} {
		if *d.value <= 0 {
			*d.value = d.preset
		}
	}
	return o
}

// base checks the options and returns the URL that paths are joined to. variable is where the destination's id comes from.
func (o Options) base(variable string) (*url.URL, error) {
	if o.URL == "" {
		return nil, errors.New("BULKER_URL is empty: give the URL of Bulker, e.g. http://bulker:3042")
	}
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		// The parser's error would repeat the URL, with a password if there is one.
		return nil, fmt.Errorf("BULKER_URL is not a URL of the form http://host:port (it names host %q)", host(o.URL))
	}
	if base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("BULKER_URL (host %s) must not have a query or a fragment", base.Host)
	}
	if o.DestinationID == "" {
		return nil, fmt.Errorf("no destination at Bulker (%s) is named: set %s", base.Host, variable)
	}
	if strings.ContainsAny(o.Token, "\r\n") {
		return nil, errors.New("BULKER_AUTH_TOKEN contains a line break: remove it, also at the end of its file")
	}
	return base, nil
}

// host is the part of a URL that may be shown.
func host(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return parsed.Host
}
