using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace ManagedTransformers.Extensions.AI;

/// <summary>The models that came from configurations: found by their names in any case, and the only one of a task without a name.</summary>
/// <remarks>A configuration's keys ignore case and service keys do not: which spelling of a name a section shows is that of the last provider that has it, so
/// that an environment variable in capitals would rename the model that it is about.</remarks>
internal sealed class ConfiguredModels
{
    private readonly Dictionary<Type, List<string>> _names = [];
    private readonly Dictionary<Type, List<ServiceDescriptor>> _withoutKey = [];

    /// <summary>Those of an app; none at first.</summary>
    public static ConfiguredModels Of(IServiceCollection services)
    {
        if (services.FirstOrDefault(one => one.ServiceType == typeof(ConfiguredModels)) is not { ImplementationInstance: ConfiguredModels models })
            services.AddSingleton(models = new ConfiguredModels());
        return models;
    }

    /// <summary>Notes a model whose services have its name as their key.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="kind">The pipeline's class.</param>
    /// <param name="name">The key.</param>
    /// <param name="types">What can be asked for.</param>
    public void Add(IServiceCollection services, Type kind, string name, Type[] types)
    {
        bool isFirst = !_names.TryGetValue(kind, out List<string>? names);
        if (isFirst)
            _names[kind] = names = [];
        names!.Add(name);
        if (!isFirst)
        {
            YieldTo(services, kind);
            return;
        }
        _withoutKey[kind] = [];
        foreach (Type type in types)
        {
            services.TryAdd(ServiceDescriptor.KeyedSingleton(type, KeyedService.AnyKey, (provider, key) =>
                // As where nothing has the key: the container takes null for that.
                Find(kind, key) is string known ? provider.GetRequiredKeyedService(type, known) : null!));
            var alias = ServiceDescriptor.Singleton(type, provider => provider.GetRequiredKeyedService(type, name));
            int before = services.Count;
            services.TryAdd(alias);
            if (services.Count > before)
                _withoutKey[kind].Add(alias);
        }
    }

    /// <summary>There is another model of a kind, or one that the app itself gives no key: a model of a configuration is found by its name alone.</summary>
    public void YieldTo(IServiceCollection services, Type kind)
    {
        if (!_withoutKey.Remove(kind, out List<ServiceDescriptor>? aliases))
            return;
        foreach (ServiceDescriptor alias in aliases)
            services.Remove(alias);
    }

    private string? Find(Type kind, object? key) =>
        key is string name ? _names[kind].Find(one => one.Equals(name, StringComparison.OrdinalIgnoreCase)) : null;
}
