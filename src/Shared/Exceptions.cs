namespace ManagedTransformers;

/// <summary>What every exception of these packages is: a checkpoint, its configuration, its tokenizer, a model of the hub, an input or a trace is not what it
/// must be. The message says where, what was found, what was needed and what to do.</summary>
/// <remarks>A wrong argument is .NET's own <see cref="ArgumentException"/>, and a directory that is not there its
/// <see cref="DirectoryNotFoundException"/>.</remarks>
public abstract class ManagedTransformersException : Exception
{
    private string? _directory;

    /// <summary>An exception with its whole message, and the error behind it.</summary>
    protected ManagedTransformersException(string message, Exception? innerException = null) : base(message, innerException)
    {
    }

    /// <summary>What is wrong, with the model's directory where it was opened from one.</summary>
    public override string Message => _directory is null ? base.Message : $"{base.Message} (The model is in {_directory}.)";

    /// <summary>Notes the directory that the model is in, for a message that names a file alone. An exception filter: it catches nothing.</summary>
    internal bool IsOf(string? directory)
    {
        if (directory is not null && !base.Message.Contains(directory, StringComparison.Ordinal))
            _directory ??= directory;
        return false;
    }
}

/// <summary>A configuration that is not valid JSON, lacks what is needed, contradicts itself or names something this runtime does not have.</summary>
public sealed class ConfigException : ManagedTransformersException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public ConfigException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ConfigException(string message, Exception? inner) : base(message, inner)
    {
    }

    /// <summary>As a <see cref="JsonError"/>.</summary>
    internal static ConfigException Of(string message, Exception? inner) => new(message, inner);
}
