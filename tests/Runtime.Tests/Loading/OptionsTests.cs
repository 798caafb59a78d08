using System.Collections;
using System.Globalization;
using System.Reflection;
using ManagedTransformers.Diagnostics;
using ManagedTransformers.Hub;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Microsoft.Extensions.Configuration;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Options: each is its own, and each can come from Microsoft.Extensions.Configuration.</summary>
public sealed class OptionsTests
{
    /// <summary>What no text can say: code of the caller's, opened models, places of one call.</summary>
    private static readonly string[] s_ofCodeAlone =
    [
        "ExplanationOptions.Interventions", "ForwardOptions.LogitsAt", "GenerationOptions.AssistantModel", "GenerationOptions.LogitsProcessors",
        "GenerationOptions.StoppingCriteria", "LoadOptions.OnWarning", "TraceOptions.Interventions",
    ];

    private static IEnumerable<Type> Types => new[]
        {
            typeof(KernelOptions), typeof(EncodeOptions), typeof(LoadOptions), typeof(PipelineOptions), typeof(ExplanationOptions), typeof(HubOptions),
        }
        .SelectMany(type => type.Assembly.GetExportedTypes())
        .Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal))
        .OrderBy(type => type.Name, StringComparer.Ordinal);

    [Test]
    public void Numbers_in_messages_are_written_as_in_code_whatever_the_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var german = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        german.NumberFormat.NumberDecimalSeparator = ",";
        CultureInfo.CurrentCulture = german;
        try
        {
            Assert.That(() => new GenerationOptions { Temperature = -1.5 },
                Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("Temperature is -1.5;"));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Test]
    public void There_are_20_types_of_options() => Assert.That(Types.Count(), Is.EqualTo(20), string.Join(", ", Types.Select(type => type.Name)));

    [Test]
    public void Options_from_configuration_change_no_defaults()
    {
        PipelineOptions bound = Section(new() { ["Load:Kernels:MaxThreads"] = "1", ["Load:Strict"] = "true", ["Load:Kernels:Level"] = "Reference" })
            .Get<PipelineOptions>()!;
        Assert.That((bound.Load.Kernels.Level, bound.Load.Strict), Is.EqualTo((KernelLevel.Reference, true)));
        Assert.That(new PipelineOptions().Load, Is.EqualTo(new LoadOptions()));
        Assert.That((LoadOptions.Default.Strict, KernelOptions.Default.Level), Is.EqualTo((false, KernelDispatch.Level)));
        Assert.That((PipelineOptions.Default.Load.Kernels.MaxThreads, KernelOptions.Default.MaxThreads),
            Is.EqualTo((new KernelOptions().MaxThreads, new KernelOptions().MaxThreads)));
    }

    [TestCaseSource(nameof(Types))]
    public void No_two_options_share_a_part_that_can_change(Type type)
    {
        List<object> first = Parts(Activator.CreateInstance(type)!), second = Parts(Activator.CreateInstance(type)!);
        foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Static).Where(property => property.Name == "Default"))
        {
            first.AddRange(Parts(property.GetValue(null)!));
            second.AddRange(Parts(property.GetValue(null)!));
        }
        Assert.That(first.Where(part => second.Exists(other => ReferenceEquals(part, other))), Is.Empty);
    }

    [TestCaseSource(nameof(Types))]
    public void Every_property_comes_from_configuration(Type type)
    {
        var values = new Dictionary<string, string?>();
        var expected = new Dictionary<PropertyInfo, object>();
        foreach (PropertyInfo property in Settable(type))
            expected[property] = Give(property.PropertyType, property.Name, values);

        object bound = Section(values).Get(type, binder => binder.ErrorOnUnknownConfiguration = true)!;

        foreach ((PropertyInfo property, object value) in expected)
            Assert.That(Text(property.GetValue(bound)), Is.EqualTo(Text(value)), property.Name);
    }

    [Test]
    public void What_no_text_can_say_is_known_by_name() => Assert.That(
        Types.SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null)
            .Except(Settable(type)).Select(property => $"{type.Name}.{property.Name}")),
        Is.EqualTo(s_ofCodeAlone));

    [Test]
    public void A_name_that_there_is_not_and_a_value_that_is_none_are_told_with_their_path()
    {
        Assert.That(() => Section(new() { ["Load:Kernels:MaxThread"] = "1" }).Get<PipelineOptions>(binder => binder.ErrorOnUnknownConfiguration = true),
            Throws.TypeOf<InvalidOperationException>().With.Message.Contains("'MaxThread'").And.Message.Contains(nameof(KernelOptions)));
        Assert.That(() => Section(new() { ["Load:Kernels:MaxThreads"] = "two" }).Get<PipelineOptions>(),
            Throws.TypeOf<InvalidOperationException>().With.Message.Contains("'A:Load:Kernels:MaxThreads'"));
        Assert.That(() => Section(new() { ["Truncation"] = "human" }).Get<GenerationOptions>(),
            Throws.TypeOf<InvalidOperationException>().With.Message.Contains("'A:Truncation'").And.InnerException.Message.Contains("human-eval"));
    }

    private static IConfigurationSection Section(Dictionary<string, string?> values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.ToDictionary(value => $"A:{value.Key}", value => value.Value)).Build().GetSection("A");

    private static IEnumerable<PropertyInfo> Settable(Type type) => type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is not null && !s_ofCodeAlone.Contains($"{type.Name}.{property.Name}"));

    /// <summary>Another value than the default, as configuration has it; and what it must become.</summary>
    private static object Give(Type type, string path, Dictionary<string, string?> values)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        (string text, object value) = type switch
        {
            _ when type == typeof(bool) => ("true", (object)true),
            _ when type == typeof(int) => ("7", 7),
            _ when type == typeof(long) => ("7", 7L),
            _ when type == typeof(double) => ("0.5", 0.5),
            _ when type == typeof(float) => ("0.5", 0.5f),
            _ when type == typeof(string) => ("x", "x"),
            _ when type == typeof(TimeSpan) => ("00:00:07", TimeSpan.FromSeconds(7)),
            _ when type == typeof(KernelLevel) => ("portable", KernelLevel.Portable),
            _ when type == typeof(TruncationRecipe) => ("human-eval", TruncationRecipe.HumanEval),
            _ when type == typeof(HubCache) => ("/cache", new HubCache("/cache")),
            _ when type.IsEnum => (Enum.GetNames(type)[^1], Enum.GetValues(type).GetValue(Enum.GetValues(type).Length - 1)!),
            _ => ("", new object()),
        };
        if (text.Length > 0)
        {
            values[path] = text;
            return value;
        }
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>))
        {
            values[$"{path}:a"] = "x";
            return new Dictionary<string, string> { ["a"] = "x" };
        }
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return new[] { Give(type.GetGenericArguments()[0], $"{path}:0", values), Give(type.GetGenericArguments()[0], $"{path}:1", values) };
        return type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null)
            .Where(property => !s_ofCodeAlone.Contains($"{type.Name}.{property.Name}"))
            .ToDictionary(property => property.Name, property => Give(property.PropertyType, $"{path}:{property.Name}", values));
    }

    /// <summary>A value with all its parts.</summary>
    private static string Text(object? value) => value switch
    {
        null => "null",
        string text => text,
        HubCache cache => cache.Folder,
        IDictionary dictionary => string.Join(';', dictionary.Keys.Cast<object>().Order().Select(key => $"{key}={Text(dictionary[key])}")),
        IEnumerable items => $"[{string.Join(',', items.Cast<object?>().Select(Text))}]",
        TruncationRecipe or IFormattable or bool => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        _ => string.Join(';', value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.SetMethod is not null && !s_ofCodeAlone.Contains($"{value.GetType().Name}.{property.Name}"))
            .OrderBy(property => property.Name)
            .Select(property => $"{property.Name}={Text(property.GetValue(value))}")),
    };

    /// <summary>The object, and what of it configuration could write into.</summary>
    private static List<object> Parts(object options)
    {
        List<object> parts = [options];
        foreach (PropertyInfo property in options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            object? value = property.GetValue(options);
            if (value is not null && value.GetType() is { IsValueType: false } type && type.Assembly != typeof(string).Assembly
                && type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Any(one => one.SetMethod is not null))
                parts.AddRange(Parts(value));
        }
        return parts;
    }
}
