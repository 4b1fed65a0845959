//! Rows as an Arrow IPC stream in the schema of the points table.
//!
//! The same schema as `stathouse.wire.tables.POINTS`, with its metadata `stathouse.format`. A stream holds one record batch,
//! or several when the rows are very many or very large: offsets of a batch have 32 bits.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, TimestampNanosecondArray, new_null_array};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::distinct::Distinct;
use crate::kind::Kind;
use crate::sketch::Sketch;

/// Stands in the schema metadata as `stathouse.format`.
pub const FORMAT_VERSION: &str = "1";

const BATCH_ROWS: usize = 1 << 17;
const BATCH_BYTES: usize = 1 << 28;

/// The value of a row.
#[derive(Clone, Debug)]
pub enum Value {
    /// The sum of a counter.
    Counter(f64),
    /// The last value of a gauge.
    Gauge(f64),
    /// The distribution of a timer.
    Timer(Sketch),
    /// The members of a set.
    Set(Distinct),
}

impl Value {
    /// The kind of series that it belongs to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Timer(_) => Kind::Timer,
            Self::Set(_) => Kind::Set,
        }
    }
}

/// The schema of the points table.
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let double = |name: &str| Field::new(name, DataType::Float64, true);
    let fields = vec![
        text("name"),
        text("tags"),
        text("kind"),
        text("field"),
        Field::new("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        double("double"),
        Field::new("int64", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("bytes", DataType::Binary, true),
        double("count"),
        double("min"),
        double("max"),
    ];
    let metadata = [("stathouse.format".to_string(), FORMAT_VERSION.to_string())];
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// Rows of a running record batch.
#[derive(Debug, Default)]
struct Columns {
    name: StringBuilder,
    tags: StringBuilder,
    kind: StringBuilder,
    field: StringBuilder,
    time: Vec<i64>,
    double: Float64Builder,
    bytes: BinaryBuilder,
    count: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
}

/// Writes rows one after the other.
pub struct RowWriter {
    stream: StreamWriter<Vec<u8>>,
    columns: Columns,
    scratch: Vec<u8>,
    batch_bytes: usize,
    rows: usize,
}

impl RowWriter {
    /// Begin a stream.
    ///
    /// # Errors
    /// The schema cannot be written.
    pub fn new() -> Result<Self, ArrowError> {
        let stream = StreamWriter::try_new(Vec::new(), &schema())?;
        Ok(Self { stream, columns: Columns::default(), scratch: Vec::new(), batch_bytes: 0, rows: 0 })
    }

    /// Rows written so far.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Write a row.
    ///
    /// # Errors
    /// A full record batch cannot be written.
    pub fn push(&mut self, name: &str, tags: &str, time_ns: i64, value: &Value) -> Result<(), ArrowError> {
        self.scratch.clear();
        let (double, distribution) = match value {
            Value::Counter(number) | Value::Gauge(number) => (Some(*number), None),
            Value::Timer(sketch) => {
                sketch.put(&mut self.scratch);
                (Some(sketch.sum()), Some(sketch))
            }
            Value::Set(set) => {
                set.put(&mut self.scratch);
                (None, None)
            }
        };
        let columns = &mut self.columns;
        columns.name.append_value(name);
        columns.tags.append_value(tags);
        columns.kind.append_value(value.kind().word());
        columns.field.append_value(value.kind().field());
        columns.time.push(time_ns);
        columns.double.append_option(double);
        columns.bytes.append_option((!self.scratch.is_empty()).then_some(&self.scratch));
        columns.count.append_option(distribution.map(Sketch::count));
        columns.min.append_option(distribution.map(Sketch::min));
        columns.max.append_option(distribution.map(Sketch::max));
        self.rows += 1;
        self.batch_bytes += name.len() + tags.len() + self.scratch.len();
        if self.columns.time.len() >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    /// End the stream and return its bytes.
    ///
    /// # Errors
    /// The last record batch cannot be written.
    pub fn finish(mut self) -> Result<Vec<u8>, ArrowError> {
        if self.rows == 0 || !self.columns.time.is_empty() {
            self.write_batch()?;
        }
        self.stream.into_inner()
    }

    fn write_batch(&mut self) -> Result<(), ArrowError> {
        let mut columns = std::mem::take(&mut self.columns);
        self.batch_bytes = 0;
        let rows = columns.time.len();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(columns.name.finish()),
            Arc::new(columns.tags.finish()),
            Arc::new(columns.kind.finish()),
            Arc::new(columns.field.finish()),
            Arc::new(TimestampNanosecondArray::from(columns.time).with_timezone("UTC")),
            Arc::new(columns.double.finish()),
            new_null_array(&DataType::Int64, rows),
            new_null_array(&DataType::Utf8, rows),
            Arc::new(columns.bytes.finish()),
            Arc::new(columns.count.finish()),
            Arc::new(columns.min.finish()),
            Arc::new(columns.max.finish()),
        ];
        self.stream.write(&RecordBatch::try_new(schema(), arrays)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{RowWriter, Value, schema};
    use crate::distinct::Distinct;
    use crate::sketch::Sketch;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, TimestampNanosecondType};
    use arrow_ipc::reader::StreamReader;

    #[test]
    fn rows_come_back() {
        let mut sketch = Sketch::default();
        sketch.add(3.0, 2.0);
        let values =
            [Value::Counter(1.5), Value::Gauge(-2.0), Value::Timer(sketch.clone()), Value::Set(Distinct::default())];
        let mut writer = RowWriter::new().expect("a schema");
        for value in &values {
            writer.push("name", "k=v", 7, value).expect("a row");
        }
        assert_eq!(writer.rows(), 4);
        let body = writer.finish().expect("a stream");
        let reader = StreamReader::try_new(&body[..], None).expect("a stream");
        assert_eq!(reader.schema(), schema());
        let batches: Vec<_> = reader.map(|batch| batch.expect("a batch")).collect();
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(batch.num_rows(), 4);
        let kinds: Vec<_> = batch.column(2).as_string::<i32>().iter().flatten().collect();
        assert_eq!(kinds, ["counter", "gauge", "timer", "set"]);
        assert_eq!(batch.column(4).as_primitive::<TimestampNanosecondType>().value(3), 7);
        let doubles: Vec<_> = batch.column(5).as_primitive::<Float64Type>().iter().collect();
        assert_eq!(doubles, [Some(1.5), Some(-2.0), Some(6.0), None]);
        let bytes = batch.column(8).as_binary::<i32>();
        assert_eq!((bytes.is_null(0), Sketch::from_bytes(bytes.value(2))), (true, Ok(sketch)));
        assert_eq!(Distinct::from_bytes(bytes.value(3)), Ok(Distinct::default()));
    }

    #[test]
    fn no_rows_are_a_batch_without_rows() {
        let body = RowWriter::new().and_then(RowWriter::finish).expect("a stream");
        let rows: usize = StreamReader::try_new(&body[..], None)
            .expect("a stream")
            .map(|batch| batch.expect("a batch").num_rows())
            .sum();
        assert_eq!(rows, 0);
    }
}
