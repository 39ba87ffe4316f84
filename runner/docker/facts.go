package docker

import (
	"context"
	"fmt"
	"strings"

	"sync-sidecar/runner"
)

// Image makes sure that the Engine has an image, by the policy of the options, and says what it says of itself.
func (r *Runner) Image(ctx context.Context, reference string, watch runner.Watch) (*runner.Image, error) {
	inspected, err := r.ensureImage(ctx, reference, r.options.Pull, watch.Serial().Event)
	if err != nil {
		return nil, err
	}
	info, err := r.engine.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the Engine for its architecture: %w", err)
	}
	facts := &runner.Image{Architecture: inspected.Architecture, Machine: goArchitecture(info.Architecture)}
	if inspected.Config == nil {
		return facts, nil
	}
	facts.Entrypoint, facts.Labels = inspected.Config.Entrypoint, inspected.Config.Labels
	for _, variable := range inspected.Config.Env {
		if value, found := strings.CutPrefix(variable, "AIRBYTE_ENTRYPOINT="); found {
			facts.Announced = value
		}
	}
	return facts, nil
}
