namespace ManagedTransformers.Models;

/// <summary>A configuration that is not valid JSON, lacks what is needed, contradicts itself or names something this runtime does not have.</summary>
public sealed class ConfigException : FormatException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public ConfigException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ConfigException(string message, Exception inner) : base(message, inner)
    {
    }

    /// <summary>As a <see cref="JsonError"/>.</summary>
    internal static ConfigException Of(string message, Exception? inner) => inner is null ? new ConfigException(message) : new ConfigException(message, inner);
}

/// <summary>Inputs that a model cannot read: ids outside the vocabulary, too many tokens, shapes that do not fit, masks without a one.</summary>
public sealed class ModelInputException : ArgumentException
{
    /// <summary>An exception that says where, what was found, what was needed and what to do.</summary>
    public ModelInputException(string message) : base(message)
    {
    }

    /// <summary>An exception with the error behind it.</summary>
    public ModelInputException(string message, Exception inner) : base(message, inner)
    {
    }
}
