package main

import (
	"bytes"
	_ "embed" // the spec
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Config is the connector's configuration. What each setting means, its default and its limits stand in spec.json, and only there.
type Config struct {
	APIKey          string           `json:"api_key"`
	Count           int64            `json:"count"`
	Counts          map[string]int64 `json:"counts"`
	Seed            int64            `json:"seed"`
	Streams         int64            `json:"streams"`
	RecordsPerState int64            `json:"records_per_state"`
	StateType       string           `json:"state_type"`
	Interleave      bool             `json:"interleave"`
	Rate            float64          `json:"rate"`
	RowBytes        int              `json:"row_bytes"`
	Grow            int64            `json:"grow"`
	UpdateEvery     int64            `json:"update_every"`
	Namespace       string           `json:"namespace"`
	Resumable       bool             `json:"resumable"`
	EmitControl     bool             `json:"emit_control"`
	EmitEstimates   bool             `json:"emit_estimates"`
	EmitAnalytics   bool             `json:"emit_analytics"`
	NoStatuses      bool             `json:"no_statuses"`
	NoStates        bool             `json:"no_states"`
	NoSourceStats   bool             `json:"no_source_stats"`
	WriteBytes      int              `json:"write_bytes"`
	Faults          Faults           `json:"faults"`

	raw map[string]json.RawMessage // the file as it was, for CONTROL
}

// The values of state_type.
const (
	stateStream = "STREAM"
	stateGlobal = "GLOBAL"
	stateLegacy = "LEGACY"
)

//go:embed spec.json
var specFile []byte

// connectionSpecification is the JSON schema of the config.
func connectionSpecification() (*schema, error) {
	var spec struct {
		ConnectionSpecification *schema `json:"connectionSpecification"`
	}
	if err := json.Unmarshal(specFile, &spec); err != nil {
		return nil, fmt.Errorf("parse own spec: %w", err)
	}
	root := spec.ConnectionSpecification
	strict := false
	for _, fault := range root.Properties["faults"].Properties {
		if fault.Type != "object" {
			continue
		}
		// A misspelt setting of a fault would be a test that tests nothing.
		fault.AdditionalProperties = &strict
		if fault.Properties == nil {
			fault.Properties = map[string]*schema{}
		}
		maps.Copy(fault.Properties, root.Definitions["trigger"].Properties)
	}
	return root, nil
}

// errInvalidConfig marks a config that could be read but says something wrong: a failed check, not a crash.
var errInvalidConfig = errors.New("config validation error")

// loadConfig reads a config file.
func loadConfig(path string) (*Config, error) {
	raw, err := readObject("config", path)
	if err != nil {
		return nil, err
	}
	return parseConfig(raw)
}

// parseConfig checks a config against the spec and fills in its defaults.
func parseConfig(raw []byte) (*Config, error) {
	spec, err := connectionSpecification()
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode config: %w", err)
	}
	value, problems := spec.apply("", value)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w: %s", errInvalidConfig, strings.Join(problems, "; "))
	}
	complete, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	config := &Config{}
	if err := json.Unmarshal(complete, config); err != nil {
		return nil, fmt.Errorf("decode config: %w", err)
	}
	if err := json.Unmarshal(raw, &config.raw); err != nil {
		return nil, fmt.Errorf("decode config: %w", err)
	}
	return config, config.validate()
}

// validate checks what a JSON schema does not say.
func (c *Config) validate() error {
	names := c.streamNames()
	for _, name := range slices.Sorted(maps.Keys(c.Counts)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: counts.%s: there is no such stream; the streams are %s", errInvalidConfig, name, abbreviate(names))
		}
	}
	if c.UpdateEvery == 1 {
		return fmt.Errorf("%w: update_every: 1 leaves no row to update; use 0, or 2 and more", errInvalidConfig)
	}
	for _, f := range c.Faults.list() {
		if stream := f.trigger().Stream; stream != "" && !slices.Contains(names, stream) {
			return fmt.Errorf("%w: faults: there is no stream %q; the streams are %s", errInvalidConfig, stream, abbreviate(names))
		}
	}
	return nil
}

func (c *Config) streamNames() []string {
	names := []string{"customers", "products", "orders"}
	for n := int64(4); n <= c.Streams; n++ {
		names = append(names, fmt.Sprintf("orders_%d", n))
	}
	return names
}

// abbreviate lists names, not thousands of them.
func abbreviate(names []string) string {
	if len(names) > 5 {
		names = append(slices.Clone(names[:5]), "…")
	}
	return strings.Join(names, ", ")
}

// rotated is the config as it was, with another api_key: what a source with single-use tokens sends back.
func (c *Config) rotated() (json.RawMessage, error) {
	changed := maps.Clone(c.raw)
	base, number := c.APIKey, 0
	if at := strings.LastIndex(base, "-rotated-"); at >= 0 {
		if _, err := fmt.Sscanf(base[at:], "-rotated-%d", &number); err == nil {
			base = base[:at]
		}
	}
	key, err := json.Marshal(fmt.Sprintf("%s-rotated-%d", base, number+1))
	if err != nil {
		return nil, fmt.Errorf("encode api_key: %w", err)
	}
	changed["api_key"] = key
	return json.Marshal(changed)
}

// readObject reads a file that must hold a JSON object.
func readObject(what, path string) ([]byte, error) {
	raw, err := readJSON(what, path)
	if err != nil {
		return nil, err
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fmt.Errorf("%s %s: a JSON object is expected", what, path)
	}
	return raw, nil
}

// readJSON reads a file that must hold valid JSON, or nothing. The error names the line.
func readJSON(what, path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	var value json.RawMessage
	if err := json.Unmarshal(raw, &value); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, fmt.Errorf("%s %s, line %d: %w", what, path, 1+bytes.Count(raw[:syntax.Offset], []byte("\n")), err)
		}
		return nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return raw, nil
}
