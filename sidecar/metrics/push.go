package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// PushOptions say where metrics are pushed to. What the OpenTelemetry SDK reads from its own variables beside them (OTEL_METRIC_EXPORT_INTERVAL,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME) counts, too.
type PushOptions struct {
	// Endpoint is the collector's base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT: /v1/metrics is added. Headers are NAME=VALUE,…, percent-encoded.
	Endpoint, Headers string
	Timeout           time.Duration // of one push
	// Failed gets the errors of pushes; they do not end anything.
	Failed func(error)
}

// Push sends metrics to an OTLP collector, about once a minute and at the end.
type Push struct {
	provider *sdk.MeterProvider
}

// StartPush begins to push until Close. The error is about the options; a collector that is away is told to Failed.
func StartPush(ctx context.Context, m *Metrics, info Info, options PushOptions) (*Push, error) {
	headers, err := parseHeaders(options.Headers)
	if err != nil {
		return nil, err
	}
	if endpoint, err := url.Parse(options.Endpoint); err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: write http://host:4318 (gRPC is not spoken)")
	}
	out := &exporter{url: strings.TrimRight(options.Endpoint, "/") + "/v1/metrics", headers: headers, timeout: options.Timeout,
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}}
	own := resource.NewSchemaless(attribute.String("service.name", "sync-sidecar"), attribute.String("service.version", info.Version),
		attribute.String("service.instance.id", info.Identity.TaskID), attribute.String("sync_sidecar.sync", info.Identity.SyncID),
		attribute.String("sync_sidecar.task", info.Identity.TaskID))
	given, err := resource.New(ctx, resource.WithFromEnv()) // which wins: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	merged, err := resource.Merge(own, given)
	if err != nil {
		return nil, fmt.Errorf("set up OTLP: %w", err)
	}
	// The SDK knows one place for the errors of its background work, and its preset is stderr, where others read JSON.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(options.Failed))
	producer := bridge.NewMetricProducer(bridge.WithGatherer(m.registry))
	reader := sdk.NewPeriodicReader(out, sdk.WithProducer(producer))
	return &Push{provider: sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithResource(merged))}, nil
}

// parseHeaders reads NAME=VALUE,…, as the OTLP specification has it.
func parseHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if !found || err != nil || strings.TrimSpace(name) == "" {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: write NAME=VALUE,NAME=VALUE, percent-encoded")
		}
		headers[strings.TrimSpace(name)] = decoded
	}
	return headers, nil
}

// Close pushes a last time and ends the pushing, until ctx ends.
func (p *Push) Close(ctx context.Context) error {
	if err := p.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("push metrics by OTLP: %w", err)
	}
	return nil
}
