import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads every topic to the end that it had, and prints what each record says, one line a record, parted by tabs. */
public class Read {
    static String text(Object value) {
        return value == null ? "" : value.toString();
    }

    public static void main(String[] arguments) {
        Map<String, Object> settings = Map.of(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            List<TopicPartition> places = consumer.listTopics().values().stream()
                .flatMap(List::stream)
                .filter(one -> !one.topic().startsWith("__"))
                .map(one -> new TopicPartition(one.topic(), one.partition()))
                .collect(Collectors.toList());
            Map<TopicPartition, Long> ends = consumer.endOffsets(places);
            consumer.assign(places);
            consumer.seekToBeginning(places);
            while (places.stream().anyMatch(one -> consumer.position(one) < ends.get(one))) {
                for (ConsumerRecord<String, CloudEvent> record : consumer.poll(Duration.ofSeconds(1))) {
                    CloudEvent event = record.value();
                    System.out.println(String.join("\t", record.topic(), event.getId(), event.getType(),
                        event.getSubject(), record.key(), event.getSpecVersion().toString(),
                        event.getDataContentType(), event.getDataSchema().toString(), event.getSource().toString(),
                        event.getTime().toInstant().toString(), text(event.getExtension("recordedtime")),
                        text(event.getExtension("sequence")), text(event.getExtension("traceparent")),
                        Integer.toString(event.getData().toBytes().length)));
                }
            }
        }
    }
}
