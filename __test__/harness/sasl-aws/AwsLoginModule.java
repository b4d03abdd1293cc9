import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.Provider;
import java.security.Security;
import java.util.Base64;
import java.util.Map;
import javax.security.auth.Subject;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.spi.LoginModule;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;
import org.apache.kafka.common.errors.SaslAuthenticationException;

/**
 * The mechanism AWS of kafkajs for a broker: what it is sent is compared with the options of this module, and every token is
 * appended to a file, a line of Base64 each.
 */
public class AwsLoginModule implements LoginModule {
  /** Base64, so that nothing in them is special where the broker's settings are read. */
  private static volatile Map<String, ?> options = Map.of();

  static {
    Security.addProvider(new AwsProvider());
  }

  @Override
  public void initialize(Subject subject, CallbackHandler handler, Map<String, ?> state, Map<String, ?> given) {
    options = given;
  }

  private static String option(String name) {
    return new String(Base64.getDecoder().decode((String) options.get(name)), StandardCharsets.UTF_8);
  }

  @Override
  public boolean login() {
    return true;
  }

  @Override
  public boolean commit() {
    return true;
  }

  @Override
  public boolean abort() {
    return false;
  }

  @Override
  public boolean logout() {
    return true;
  }

  public static class AwsProvider extends Provider {
    AwsProvider() {
      super("SASL AWS", "1.0", "The mechanism AWS of kafkajs");
      put("SaslServerFactory.AWS", AwsServerFactory.class.getName());
    }
  }

  public static class AwsServerFactory implements SaslServerFactory {
    @Override
    public SaslServer createSaslServer(
        String mechanism, String protocol, String server, Map<String, ?> properties, CallbackHandler handler) {
      return new AwsServer();
    }

    @Override
    public String[] getMechanismNames(Map<String, ?> properties) {
      return new String[] {"AWS"};
    }
  }

  static class AwsServer implements SaslServer {
    private String identity;

    @Override
    public byte[] evaluateResponse(byte[] token) throws SaslException {
      record(token);
      String[] parts = new String(token, StandardCharsets.UTF_8).split("\0", -1);
      if (parts.length != 4) throw new SaslAuthenticationException("AWS: " + parts.length + " parts, and not 4");
      boolean known =
          parts[0].equals(option("authorizationIdentity"))
              && parts[1].equals(option("accessKeyId"))
              && parts[2].equals(option("secretAccessKey"))
              && (parts[3].isEmpty() || parts[3].equals(option("sessionToken")));
      if (!known) throw new SaslAuthenticationException("Authentication failed: the keys are not known");
      identity = parts[0];
      // Any answer is success to kafkajs, so it has one.
      return "welcome".getBytes(StandardCharsets.UTF_8);
    }

    private static synchronized void record(byte[] token) throws SaslException {
      byte[] line = (Base64.getEncoder().encodeToString(token) + "\n").getBytes(StandardCharsets.US_ASCII);
      try {
        Path file = Path.of(option("file"));
        Files.write(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
      } catch (IOException error) {
        throw new SaslException("the token cannot be recorded", error);
      }
    }

    @Override
    public boolean isComplete() {
      return identity != null;
    }

    @Override
    public String getAuthorizationID() {
      return identity;
    }

    @Override
    public String getMechanismName() {
      return "AWS";
    }

    @Override
    public Object getNegotiatedProperty(String name) {
      return null;
    }

    @Override
    public byte[] wrap(byte[] bytes, int offset, int length) {
      throw new IllegalStateException();
    }

    @Override
    public byte[] unwrap(byte[] bytes, int offset, int length) {
      throw new IllegalStateException();
    }

    @Override
    public void dispose() {}
  }
}
