package main

import (
	"errors"
	"io/fs"
	"os"

	"sync-sidecar/sidecar/atomicfile"
)

// connectorFileMode lets the connector, whose user we do not know, read its configuration and rewrite it.
const connectorFileMode fs.FileMode = 0o666

// writeConnectorFile replaces a file that the connector and the sidecar, who are two users, may both write. A volume in memory has the sticky bit
// (tmpfs' own default, which the kubelet leaves): there nobody may replace what another user made, and its content is written anew. A crash in the
// middle of that makes init begin again.
func writeConnectorFile(path string, content []byte) error {
	err := atomicfile.Replace(path, content, connectorFileMode)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	file, opened := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if opened != nil {
		return errors.Join(err, opened)
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}
