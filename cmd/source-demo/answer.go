package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// answer gives the result of spec, check or discover. Faults strike before it (row 0) and after it (row 1).
func (j *job) answer(result func() error) error {
	if err := j.due(nil); err != nil {
		return err
	}
	if err := result(); err != nil {
		return err
	}
	j.rows++
	return j.due(nil)
}

func (j *job) spec() error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, specFile); err != nil {
		return fmt.Errorf("encode own spec: %w", err)
	}
	return j.answerOnce("spec", message{Type: "SPEC", Spec: j.deviantSpec(compact.Bytes())})
}

// check refuses one api_key, so that a failed check can be had without a fault.
func (j *job) check() error {
	if err := j.rotateToken(); err != nil {
		return err
	}
	if refused := j.config.Faults.CheckFailed; refused != "" {
		return j.status("FAILED", refused)
	}
	if err := j.config.authorize(); err != nil && !j.deviates("check_any") {
		return j.status("FAILED", err.Error())
	}
	if err := j.log("INFO", "Check succeeded"); err != nil {
		return err
	}
	return j.status("SUCCEEDED", "")
}

// authorize pretends to ask the demo database.
func (c *Config) authorize() error {
	if c.APIKey == "invalid" {
		return fmt.Errorf("401 Unauthorized: api_key is not valid; use any other")
	}
	return nil
}

func (j *job) status(status, text string) error {
	return j.answerOnce("check", message{Type: "CONNECTION_STATUS", ConnectionStatus: &connectionStatus{Status: status, Message: text}})
}

func (j *job) discover() error {
	found, err := j.config.catalog()
	if err != nil {
		return err
	}
	return j.answerOnce("catalog", message{Type: "CATALOG", Catalog: found})
}

// rotateToken emits the changed config, twice, as the CDK does (oauth.py).
func (j *job) rotateToken() error {
	if !j.config.EmitControl {
		return nil
	}
	changed, err := j.config.rotated()
	if err != nil {
		return err
	}
	m := message{Type: "CONTROL", Control: &control{Type: "CONNECTOR_CONFIG", EmittedAt: millisOf(j.world.now()),
		ConnectorConfig: connectorConfig{Config: changed}}}
	for range 2 {
		if err := j.out.message(m); err != nil {
			return err
		}
	}
	return nil
}
