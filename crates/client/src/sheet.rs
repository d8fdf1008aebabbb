//! Provisioning sheets: which devices there are, and their keys, as CSV.

use crate::{
    failure::{AtPath, Failure},
    secret::write_private,
};
use csv::{ReaderBuilder, StringRecord, Trim, Writer};
use domain::device::{DeviceId, DeviceKey};
use std::{collections::HashMap, fs::File, path::Path};

/// A device that can post.
#[derive(Debug, Clone)]
pub(crate) struct SheetDevice {
    /// Of a device that has none here, only what it is called is known.
    pub(crate) id: Option<DeviceId>,
    pub(crate) name: String,
    pub(crate) key: DeviceKey,
}

/// Devices by id and by name.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) devices: Vec<SheetDevice>,
    /// Where a text leads; to nothing where several devices are called so.
    places: HashMap<String, Option<usize>>,
}

impl Sheet {
    /// Reads a sheet: the columns `device_id` or `id`, `name`, and `device_key` or `key`; the key and one of the others
    /// must be there.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).at(path)?;
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
        let header = reader
            .headers()
            .map_err(|error| Failure::file(path, error))?;
        let header = header.clone();
        let column = |names: &[&str]| {
            let is_named = |cell: &str| names.contains(&cell.trim_start_matches('\u{feff}'));
            header.iter().position(is_named)
        };
        let (id, name) = (
            column(&["device_id", "id"]),
            column(&["name", "device_name"]),
        );
        let key = column(&["device_key", "key"]).filter(|_| id.or(name).is_some());
        let key = key.ok_or_else(|| {
            Failure::file(
                path,
                "must have the columns device_key, and device_id or name",
            )
        })?;
        let mut devices = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| Failure::file(path, error))?;
            let device = device(&record, id, name, key).map_err(|reason| {
                let line = record.position().map_or(0, csv::Position::line);
                Failure::file(path, format!("line {line}: {reason}"))
            })?;
            devices.push(device);
        }
        Ok(Self::new(devices))
    }

    /// The one device that has this key.
    pub(crate) fn of_one(key: DeviceKey) -> Self {
        let (id, name) = (None, String::new());
        Self::new(vec![SheetDevice { id, name, key }])
    }

    fn new(devices: Vec<SheetDevice>) -> Self {
        let mut places = HashMap::new();
        for (place, device) in devices.iter().enumerate() {
            let id = device.id.map(|id| id.to_string());
            for text in id.into_iter().chain([device.name.clone()]) {
                places
                    .entry(text)
                    .and_modify(|known| *known = None)
                    .or_insert(Some(place));
            }
        }
        Self { devices, places }
    }

    /// The place of the device with this id or, where only one is called so, this name.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        self.places.get(text).copied().flatten()
    }

    /// Writes a sheet that only we can read.
    pub(crate) fn write(path: &Path, devices: &[SheetDevice]) -> Result<(), Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::file(path, error);
        let mut writer = Writer::from_writer(Vec::new());
        let header = ["device_id", "name", "device_key"];
        writer
            .write_record(header)
            .map_err(|error| broken(&error))?;
        for device in devices {
            let id = device.id.map(|id| id.to_string()).unwrap_or_default();
            let row = [id.as_str(), &device.name, device.key.reveal()];
            writer.write_record(row).map_err(|error| broken(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| broken(&error))?;
        write_private(path, &String::from_utf8_lossy(&bytes))
    }
}

fn device(
    record: &StringRecord,
    id: Option<usize>,
    name: Option<usize>,
    key: usize,
) -> Result<SheetDevice, String> {
    let cell = |column: Option<usize>| column.and_then(|it| record.get(it)).unwrap_or_default();
    let id = match cell(id) {
        "" => None,
        text => Some(text.parse().map_err(|_| "the id is no UUID".to_owned())?),
    };
    let name = cell(name).to_owned();
    if id.is_none() && name.is_empty() {
        return Err("a device without id and name".to_owned());
    }
    let key = DeviceKey::parse(cell(Some(key))).map_err(|error| format!("the key {error}"))?;
    Ok(SheetDevice { id, name, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_sheet_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.csv");
        let id = "01936e5a-0000-7000-8000-000000000001";
        let device = |name: &str, bits| SheetDevice {
            id: Some(id.parse().unwrap()).filter(|_| bits == 1),
            name: name.to_owned(),
            key: DeviceKey::new([bits; 32]),
        };
        let devices = [
            device("Boiler, \"old\"", 1),
            device("Twin", 2),
            device("Twin", 3),
        ];
        Sheet::write(&path, &devices).unwrap();
        let sheet = Sheet::read(&path).unwrap();
        assert_eq!(sheet.find(id), Some(0));
        assert_eq!(sheet.find("Boiler, \"old\""), Some(0));
        assert_eq!(sheet.find("Twin"), None);
        assert!(sheet.devices[2].key == devices[2].key);
    }

    #[test]
    fn what_is_no_sheet_is_refused_without_its_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.csv");
        for (text, word) in [
            ("name,key\nA,rdk_hunter2\n", "line 2"),
            ("key\nrdk_hunter2\n", "columns"),
            ("id,key\nx,rdk_hunter2\n", "UUID"),
        ] {
            fs::write(&path, text).unwrap();
            let refused = Sheet::read(&path).unwrap_err().to_string();
            assert!(
                refused.contains(word) && !refused.contains("hunter2"),
                "{refused}"
            );
        }
    }
}
